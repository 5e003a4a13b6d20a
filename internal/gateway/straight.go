package gateway

import (
	"bytes"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
)

// copiedBytes is how large a body may be that is copied behind its head, so that they are one
// piece of memory.
const copiedBytes = 4 << 10

// heads makes the heads of answers that go straight to their connection. It is safe for
// concurrent use.
type heads struct {
	pool sync.Pool // of *bytes.Buffer
	date atomic.Pointer[date]
}

// date is a second, as the Date header has it.
type date struct {
	second int64
	text   string
}

// dateOf is the Date header at a time.
func (h *heads) dateOf(now time.Time) string {
	second := now.Unix()
	if known := h.date.Load(); known != nil && known.second == second {
		return known.text
	}
	text := now.UTC().Format(http.TimeFormat)
	h.date.Store(&date{second, text})
	return text
}

func (h *heads) get() *bytes.Buffer {
	if b, ok := h.pool.Get().(*bytes.Buffer); ok {
		return b
	}
	return bytes.NewBuffer(make([]byte, 0, copiedBytes))
}

func (h *heads) put(b *bytes.Buffer) {
	if b.Cap() > 4*copiedBytes {
		return
	}
	b.Reset()
	h.pool.Put(b)
}

// straight writes an answer to its connection itself, past net/http: the head and the body,
// which all who are told the same share, with one call of the system. It says whether it
// did; if not, nothing was written.
//
// net/http keeps the headers of an answer in a map, copies that, sorts it, and writes them
// into two buffers: a quarter of the instructions from the upstream's answer to the client's,
// and a fifth of the code that is touched on that way, which is what it costs in a process
// that was idle (docs/performance.md). Of all that
// this does nothing that can wait: what net/http writes for the request goes nowhere, and
// is made when the client has its answer. So it is only for answers about which net/http
// has nothing to decide: over HTTP/1.1, to a request without a body, on a connection that
// goes on.
func (h *heads) straight(v *visit, client dialect, batch *feeds.Batch) (done bool, err error) {
	conn, size := connOf(v), batch.Size()
	header := v.out.Header()
	if conn == nil || !v.plain || conn.gathering != nil || size < 0 || size > unreadBytes || header["Connection"] != nil {
		return false, nil
	}
	body := batch.Whole()
	if body == nil && size > copiedBytes {
		return false, nil
	}
	head := h.get()
	defer h.put(head)
	head.WriteString("HTTP/1.1 200 OK\r\n")
	lines := 1
	line := func(name, value string) {
		head.WriteString(name)
		head.WriteString(": ")
		head.WriteString(value)
		head.WriteString("\r\n")
		lines++
	}
	line("Date", h.dateOf(time.Now()))
	for name, values := range header {
		for _, value := range values {
			line(name, value)
		}
	}
	var room [maxFields]field
	for _, f := range fieldsOf(batch, room[:0]) {
		line(f.name, f.value)
		if former := formerNames[f.name]; client.formerNames && former != "" {
			line(former, f.value)
		}
	}
	if bytes.Count(head.Bytes(), []byte("\n")) != lines || bytes.Count(head.Bytes(), []byte("\r")) != lines {
		return false, nil // a value would be a header more: net/http makes blanks of those
	}
	head.WriteString("\r\n")
	before := head.Len() // the body
	if len(body) <= copiedBytes {
		_, _ = batch.WriteTo(head) // which takes all
		body = nil
	}
	clear(header)
	header["Date"] = nil // so that net/http makes none
	wrote, err := conn.writeStraight(head.Bytes(), body)
	if wrote > 0 {
		v.out.status, v.out.bytes = http.StatusOK, max(wrote-before, 0)
	}
	return true, err
}

// writeStraight writes an answer past net/http, all of it. What net/http writes for the same
// request, in one piece, goes nowhere: http.Server ends a request by setting the deadline for
// writing anew.
func (c *strictConn) writeStraight(head, body []byte) (n int, err error) {
	if c.late.Load() {
		return 0, errLate
	}
	c.straight = written
	if body == nil {
		return c.out.Write(head)
	}
	both := net.Buffers{head, body}
	wrote, err := both.WriteTo(c.out)
	return int(wrote), err
}

// SetWriteDeadline ends a request whose answer went straight.
func (c *strictConn) SetWriteDeadline(t time.Time) error {
	c.straight = notStraight
	return c.TCPConn.SetWriteDeadline(t)
}
