package http1

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
)

// body is that of an answer, and holds its connection.
type body struct {
	src       io.Reader
	ctx       context.Context
	stop      func() bool // that the end of ctx closes the connection
	conn      *conn
	transport *Transport
	last      bool // the connection is not kept
	ended     atomic.Bool
	err       error // that every Read has after the first
}

// Read implements io.Reader. The one that gives the end gives the connection back.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.ended.Load():
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.src.Read(p)
	if err == nil {
		return n, nil
	}
	switch mine := b.end(err == io.EOF); {
	case err == io.EOF:
	case b.ctx.Err() != nil:
		err = context.Cause(b.ctx)
	case !mine: // Close, on another goroutine
		err = http.ErrBodyReadAfterClose
	}
	b.err = err
	return n, err
}

// Close implements io.Closer. Before the end it closes the connection, and so ends a
// Read that waits.
func (b *body) Close() error {
	b.end(false)
	return nil
}

// end lets go of the connection, once; it says whether this was the time. A connection
// of which the buffer holds more than the answer is not kept.
func (b *body) end(whole bool) bool {
	if !b.ended.CompareAndSwap(false, true) {
		return false
	}
	if !b.stop() || !whole || b.last || b.conn.in.Buffered() > 0 {
		b.conn.hangUp()
		return true
	}
	b.transport.keep(b.conn)
	return true
}
