package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Serve has a server of NewHTTPServer take connections from a listener, as
// http.Server.Serve does, but for requests that come too slowly.
//
// To one whose headers are not complete in time net/http writes a 400, and that
// ends a subscription for good: no client asks again after a 400. A connection that
// is closed without an answer costs it a reconnect. A client need not be slow or
// hostile to be late: it may have connected just before its machine, or this one,
// got busy.
func Serve(server *http.Server, l net.Listener) error {
	return server.Serve(strictListener{l})
}

// strictListener hands out strictConns, where it has TCP connections.
type strictListener struct{ net.Listener }

func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &strictConn{TCPConn: tcp, out: tcp}, nil
	}
	return c, err
}

// strictConn takes nothing more to write once a read has failed because of its
// deadline, until there is another deadline. The server sets one with which reads
// fail at once to take its reader back from a connection, and lifts it before it
// goes on.
type strictConn struct {
	*net.TCPConn
	out  io.Writer // that it is written to: the TCPConn
	late atomic.Bool
	// Of whoever writes an answer, who alone uses it; nil between answers, unless one was
	// cut off.
	gathering *gathering
	straight  straightness
}

// straightness says what became of a request whose answer is not net/http's.
type straightness uint8

const (
	notStraight straightness = iota
	written                  // what net/http writes for the same request goes nowhere
	dropped                  // it went there
)

var errTwice = errors.New("net/http wrote more than once for a request that was answered already")

var errLate = errors.New("the request did not come in time and is not answered")

// Read is where the goroutine sleeps that net/http has for each connection, to notice
// that a client has gone. Its stack of 2 KiB has room for a small frame more.
func (c *strictConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err != nil {
		c.failed(err)
	}
	return n, err
}

//go:noinline
func (c *strictConn) failed(err error) {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		c.late.Store(true)
	}
}

func (c *strictConn) Write(p []byte) (int, error) {
	if c.late.Load() {
		return 0, errLate
	}
	switch {
	case c.straight == written:
		c.straight = dropped
		return len(p), nil
	case c.straight == dropped:
		return 0, errTwice
	case c.gathering != nil:
		return c.gathering.write(c.out, p)
	}
	return c.out.Write(p)
}

func (c *strictConn) SetReadDeadline(t time.Time) error {
	c.late.Store(false)
	return c.TCPConn.SetReadDeadline(t)
}

func (c *strictConn) SetDeadline(t time.Time) error {
	c.late.Store(false)
	return c.TCPConn.SetDeadline(t)
}
