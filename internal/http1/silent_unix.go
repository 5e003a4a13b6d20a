//go:build linux || darwin

package http1

import "syscall"

// silent looks at what a socket would give now, without taking it: one that is open and
// has nothing would block.
func silent(socket syscall.RawConn) bool {
	var would error
	err := socket.Control(func(fd uintptr) {
		var one [1]byte
		_, _, would = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && would == syscall.EAGAIN
}
