package gateway

import (
	"context"
	"net"
)

// netHTTPBuffer is how much net/http collects before it writes to an HTTP/1 connection.
const netHTTPBuffer = 4 << 10

// gathering has an HTTP/1 connection write at once what net/http writes in two. Of a large
// piece it writes as much as its buffer takes, behind the size of the chunk, and then the
// rest: two calls of the system, and a client that is woken for the first few bytes.
//
// A full buffer is kept until more comes, or release is called. That more comes with the
// same piece is how bufio.Writer works; nothing here relies on it but the benefit.
type gathering struct {
	kept  []byte
	parts [2][]byte
}

// write is strictConn's.
func (g *gathering) write(to *net.TCPConn, p []byte) (int, error) {
	switch {
	case len(g.kept) > 0:
	case len(p) == netHTTPBuffer:
		g.kept = append(g.kept, p...)
		return len(p), nil
	default:
		return to.Write(p)
	}
	before := int64(len(g.kept))
	g.parts = [2][]byte{g.kept, p}
	both := net.Buffers(g.parts[:])
	g.kept = g.kept[:0]
	n, err := both.WriteTo(to)
	return int(max(n-before, 0)), err
}

// release writes what is kept.
func (g *gathering) release(to *net.TCPConn) error {
	if len(g.kept) == 0 {
		return nil
	}
	kept := g.kept
	g.kept = g.kept[:0]
	_, err := to.Write(kept)
	return err
}

type connKey struct{}

// knowsItsConn is http.Server's ConnContext. See connOf.
func knowsItsConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is the connection of a request that has it to itself until it was answered; or
// nil. Of HTTP/2 several share one.
func connOf(ctx context.Context) *strictConn {
	if v := visitOf(ctx); v == nil || !v.alone {
		return nil
	}
	c, _ := ctx.Value(connKey{}).(*strictConn)
	return c
}
