package gateway

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cutUnread has the system end a connection of whose bytes its peer takes none for so long:
// they are not acknowledged, or find no room (TCP_USER_TIMEOUT of tcp(7)). Unlike a deadline
// it is set once, and costs an answer nothing.
func cutUnread(c net.Conn, after time.Duration) {
	tcp, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
	})
}
