package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// reader is a client of one feed or of one shape: a connection that is kept, and
// a place. It does as little as can be, so that what is measured is not the
// client. It belongs to one goroutine.
type reader struct {
	addr   string
	path   string // with the part of the query that does not change
	token  string // "" for none
	conn   net.Conn
	in     *bufio.Reader
	buffer []byte

	handle, offset, cursor string
	schema                 string // of the last answer that had one
}

// answer is what one request brought.
type answer struct {
	first, whole time.Time // when its first byte was here, and its last
	size         int64
	upToDate     bool
}

func newReader(addr, path, token string) *reader {
	return &reader{addr: addr, path: path, token: token, offset: "-1", buffer: make([]byte, 256<<10)}
}

// restart forgets the place, not the connection.
func (r *reader) restart() { r.handle, r.offset, r.cursor = "", "-1", "" }

func (r *reader) close() {
	if r.conn != nil {
		_ = r.conn.Close()
		r.conn = nil
	}
}

// ask makes one request and hands the body on as it comes.
func (r *reader) ask(ctx context.Context, live bool, sink io.Writer) (answer, error) {
	a, err := r.tryAsk(ctx, live, sink)
	if err != nil {
		r.close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return a, err
}

func (r *reader) tryAsk(ctx context.Context, live bool, sink io.Writer) (a answer, err error) {
	if r.conn == nil {
		var d net.Dialer
		if r.conn, err = d.DialContext(ctx, "tcp", r.addr); err != nil {
			return a, err
		}
		r.in = bufio.NewReaderSize(r.conn, 64<<10)
	}
	defer context.AfterFunc(ctx, func() { _ = r.conn.Close() })()
	if _, err := r.conn.Write(r.request(live)); err != nil {
		return a, err
	}
	if _, err := r.in.Peek(1); err != nil {
		return a, err
	}
	a.first = time.Now()
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return a, fmt.Errorf("%s answered %s: %s", r.addr, resp.Status, said)
	}
	for err == nil {
		var n int
		n, err = resp.Body.Read(r.buffer)
		a.size += int64(n)
		_, _ = sink.Write(r.buffer[:n]) // sinks here never fail
	}
	if !errors.Is(err, io.EOF) {
		return a, err
	}
	a.whole = time.Now()
	h := resp.Header
	_, a.upToDate = h["Electric-Up-To-Date"]
	r.handle, r.offset, r.cursor = h.Get("electric-handle"), h.Get("electric-offset"), h.Get("electric-cursor")
	if s := h.Get("electric-schema"); s != "" {
		r.schema = s
	}
	return a, nil
}

func (r *reader) request(live bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s&offset=%s", r.path, r.offset)
	if r.handle != "" {
		b.WriteString("&handle=" + url.QueryEscape(r.handle))
	}
	if live {
		b.WriteString("&live=true&cursor=" + url.QueryEscape(r.cursor))
	}
	fmt.Fprintf(&b, " HTTP/1.1\r\nHost: %s\r\n", r.addr)
	if r.token != "" {
		b.WriteString("Authorization: Bearer " + r.token + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// catchUp reads until there is nothing more, and gives the bytes it read.
func (r *reader) catchUp(ctx context.Context, sink io.Writer) (size int64, err error) {
	for {
		a, err := r.ask(ctx, false, sink)
		size += a.size
		if err != nil || a.upToDate {
			return size, err
		}
	}
}
