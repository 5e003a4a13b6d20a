package http1

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"syscall"
	"time"
)

// A buffer takes most answers to a poll whole, and each call that waits has one.
const bufferSize = 4 << 10

const unbounded = math.MaxInt64

var (
	errUnanswered = errors.New("http1: a kept connection was closed before an answer came")
	errTooMuch    = errors.New("too much comes before a body")
	errSwitched   = errors.New("an answer switches to another protocol, which nobody asked for")
)

// conn is a connection. It belongs to one call at a time, or to nobody.
type conn struct {
	net.Conn
	socket  syscall.RawConn // nil: it has none
	address string
	in      *bufio.Reader
	left    int64     // bytes that may come
	kept    bool      // it had a call before
	since   time.Time // when that ended
}

func newConn(dialed net.Conn, address string) *conn {
	c := &conn{Conn: dialed, address: address}
	if s, ok := dialed.(syscall.Conn); ok {
		c.socket, _ = s.SyscallConn()
	}
	c.in = bufio.NewReaderSize(c, bufferSize)
	return c
}

// Read is for the buffer.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// head reads up to the body of the answer. A 1xx says that there is one to come.
func (c *conn) head(req *http.Request) (*http.Response, error) {
	for {
		resp, err := c.next(req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case resp.StatusCode < 100 || resp.StatusCode > 199:
			return resp, nil
		}
	}
}

// next waits for an answer and reads up to its body: by usual if it can, and else by
// net/http, which finds all bytes still there.
func (c *conn) next(req *http.Request) (*http.Response, error) {
	switch _, err := c.in.Peek(1); {
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF // as net/http has it
	case err != nil:
		return nil, err
	}
	buffered, _ := c.in.Peek(c.in.Buffered())
	a, size := usual(buffered)
	if size == 0 || req.Method == http.MethodHead {
		return http.ReadResponse(c.in, req)
	}
	_, _ = c.in.Discard(size)
	a.Request = req
	a.open(c.in)
	return &a.Response, nil
}

// fit says of a connection that idled that it is open, and that nothing came which
// nobody asked for.
func (c *conn) fit() bool { return c.socket == nil || silent(c.socket) }

// hangUp closes the connection, which wakes whoever waits on it.
func (c *conn) hangUp() { _ = c.Close() }
