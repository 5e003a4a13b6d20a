//go:build !linux

package gateway

import (
	"net"
	"time"
)

// cutUnread does nothing: of small answers a peer over HTTP/1 may take as long as it likes.
func cutUnread(net.Conn, time.Duration) {}
