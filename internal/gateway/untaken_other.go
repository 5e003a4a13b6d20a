//go:build !linux

package gateway

import (
	"net"
	"time"
)

// cutUntaken does nothing: of small answers a peer over HTTP/1 may take as long as it likes.
func cutUntaken(net.Conn, time.Duration) {}
