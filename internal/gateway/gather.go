package gateway

import (
	"context"
	"errors"
	"io"
	"net"
)

// netHTTPBuffer is how much net/http collects before it writes to an HTTP/1 connection.
const netHTTPBuffer = 4 << 10

// gathering has an HTTP/1 connection write at once what net/http writes in two. Of a large
// piece it writes as much as its buffer takes, behind the size of the chunk, and then the
// rest: two calls of the system, and a client that is woken for the first few bytes.
//
// A full buffer is kept until more comes, or the gathering ends. That more comes with the
// same piece is how bufio.Writer works; nothing here relies on it but the benefit.
type gathering struct {
	kept   []byte
	parts  [2][]byte
	failed error // net/http was told of bytes as written that were not: nothing may follow
}

var errCutOff = errors.New("the answer was cut off: nothing may follow it on its connection")

// write is strictConn's.
func (g *gathering) write(to io.Writer, p []byte) (n int, err error) {
	switch {
	case g.failed != nil:
		return 0, g.failed
	case len(g.kept) > 0:
		before := len(g.kept)
		g.parts = [2][]byte{g.kept, p}
		both := net.Buffers(g.parts[:])
		g.kept = g.kept[:0]
		var wrote int64
		wrote, err = both.WriteTo(to)
		n = max(int(wrote)-before, 0)
	case len(p) == netHTTPBuffer:
		g.kept = append(g.kept, p...)
		return len(p), nil
	default:
		n, err = to.Write(p)
	}
	g.failed = err
	return n, err
}

// gather has the connection gather what is written. Whoever calls it is alone on the
// connection until ungather or cutOff.
func (c *strictConn) gather() {
	if c.gathering == nil { // else an answer was cut off
		c.gathering = new(gathering)
	}
}

// ungather ends the gathering, and writes what was kept.
func (c *strictConn) ungather() error {
	g := c.gathering
	if len(g.kept) > 0 {
		kept := g.kept
		g.kept = nil
		_, g.failed = c.out.Write(kept)
	}
	if g.failed == nil {
		c.gathering = nil
	}
	return g.failed
}

// cutOff ends the gathering where the answer ends too early. What was kept is not written,
// as its reader may take nothing, and so nothing else is.
func (c *strictConn) cutOff() {
	if g := c.gathering; g != nil && len(g.kept) == 0 && g.failed == nil {
		c.gathering = nil
	} else if g != nil && g.failed == nil {
		g.kept, g.failed = nil, errCutOff
	}
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
