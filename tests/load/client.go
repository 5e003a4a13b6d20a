package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

// target is a feed at a gateway, or a shape at an upstream.
type target struct {
	addr  string
	path  string // with the part of the query that does not change, and what joins the rest to it
	token string // "" for none
}

// client follows one target as the protocol says: it sends back the handle, the offset
// and the cursor that it was given. It has one connection, which is kept, and does as
// little as can be, so that it is not what is measured. It belongs to one goroutine.
type client struct {
	target
	source net.IP // to connect from
	buffer int    // bytes read ahead of need
	sink   io.Writer
	conn   net.Conn
	ended  func() bool // of the context's watch over conn
	in     *bufio.Reader
	out    []byte
	body   []byte // of the last answer, if there is no sink
	piece  []byte // for the sink

	handle, offset, cursor, schema []byte
}

// sdk is what the clients of the platform's SDK say of themselves since version 4. Who does
// not is told rows in the words of before, and each header under its former name as well.
const sdk = "\r\nTrigger-Version: 4.8.3\r\nX-Trigger-Electric-Version: 1.0.14\r\nX-Trigger-Api-Version: 2025-07-16\r\n"

// answer is what one request brought.
type answer struct {
	first, whole time.Time // when its first byte was here, and its last
	size         int64
	upToDate     bool
}

// refusal is an answer that is no part of a shape.
type refusal struct {
	addr       string
	status     int
	retryAfter time.Duration
	body       string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s answered %d: %s", r.addr, r.status, r.body)
}

func newClient(t target) *client {
	return &client{target: t, buffer: 4 << 10, offset: []byte("-1")}
}

// newReader is a client for large answers, whose bodies go to a sink.
func newReader(t target, sink io.Writer) *client {
	c := newClient(t)
	c.buffer, c.sink, c.piece = 64<<10, sink, make([]byte, 256<<10)
	return c
}

// restart forgets the place, not the connection.
func (c *client) restart() {
	c.handle, c.cursor, c.offset = c.handle[:0], c.cursor[:0], append(c.offset[:0], "-1"...)
}

func (c *client) close() {
	if c.conn != nil {
		c.ended()
		_ = c.conn.Close()
		c.conn = nil
	}
}

// ask makes one request. The end of ctx ends it.
func (c *client) ask(ctx context.Context, live bool) (answer, error) {
	a, err := c.tryAsk(ctx, live)
	if err != nil {
		if _, refused := errors.AsType[*refusal](err); !refused {
			c.close()
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return a, err
}

func (c *client) tryAsk(ctx context.Context, live bool) (a answer, err error) {
	if c.conn == nil {
		dialer := net.Dialer{Timeout: patience}
		if c.source != nil {
			dialer.LocalAddr = &net.TCPAddr{IP: c.source}
		}
		if c.conn, err = dialer.DialContext(ctx, "tcp", c.addr); err != nil {
			return a, err
		}
		conn := c.conn
		c.ended = context.AfterFunc(ctx, func() { _ = conn.Close() })
		c.in = bufio.NewReaderSize(c.conn, c.buffer)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience)) // it fails where the next call does
	c.request(live)
	if _, err := c.conn.Write(c.out); err != nil {
		return a, err
	}
	if _, err := c.in.Peek(1); err != nil {
		return a, fmt.Errorf("%s did not answer: %w", c.addr, err)
	}
	a.first = time.Now()
	h, err := c.head()
	if err != nil {
		return a, err
	}
	if a.size, err = c.read(h); err != nil {
		return a, err
	}
	a.whole, a.upToDate = time.Now(), h.upToDate
	if h.last {
		c.close()
	}
	if h.status != 200 {
		return a, &refusal{c.addr, h.status, h.retryAfter, string(c.body)}
	}
	return a, nil
}

func (c *client) request(live bool) {
	b := c.out[:0]
	b = append(b, "GET "...)
	b = append(b, c.path...)
	b = append(b, "offset="...)
	b = append(b, c.offset...)
	if len(c.handle) > 0 {
		b = append(b, "&handle="...)
		b = append(b, url.QueryEscape(string(c.handle))...)
	}
	if live {
		b = append(b, "&live=true&cursor="...)
		b = append(b, c.cursor...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.addr...)
	b = append(b, sdk...)
	if c.token != "" {
		b = append(b, "Authorization: Bearer "...)
		b = append(b, c.token...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	c.out = b
}

// head is what counts of an answer's head. The place goes to the client at once.
type head struct {
	status     int
	length     int64
	chunked    bool
	last       bool // of its connection
	upToDate   bool
	retryAfter time.Duration
}

func (c *client) head() (h head, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200") {
		return h, fmt.Errorf("%s: the status line is %q: %w", c.addr, line, err)
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, err
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return h, fmt.Errorf("%s: a header that begins with %.40q: %w", c.addr, line, err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		c.header(&h, name, bytes.TrimSpace(value))
	}
}

func (c *client) header(h *head, name, value []byte) {
	for i, b := range name { // the line is this client's own
		if 'A' <= b && b <= 'Z' {
			name[i] = b + 'a' - 'A'
		}
	}
	switch string(name) {
	case "electric-handle":
		c.handle = append(c.handle[:0], value...)
	case "electric-offset":
		c.offset = append(c.offset[:0], value...)
	case "electric-cursor":
		c.cursor = append(c.cursor[:0], value...)
	case "electric-schema":
		c.schema = append(c.schema[:0], value...)
	case "electric-up-to-date":
		h.upToDate = true
	case "content-length":
		h.length, _ = strconv.ParseInt(string(value), 10, 64)
	case "transfer-encoding":
		h.chunked = string(value) == "chunked"
	case "connection":
		h.last = string(value) == "close"
	case "retry-after":
		seconds, _ := strconv.Atoi(string(value))
		h.retryAfter = time.Duration(seconds) * time.Second
	}
}

// read reads a body.
func (c *client) read(h head) (size int64, err error) {
	if !h.chunked && (c.sink == nil || h.status != 200) {
		c.body = append(c.body[:0], make([]byte, h.length)...)
		n, err := io.ReadFull(c.in, c.body)
		return int64(n), err
	}
	body := io.LimitReader(c.in, h.length)
	if h.chunked {
		body = httputil.NewChunkedReader(c.in)
	}
	if c.sink == nil || h.status != 200 {
		c.body, err = io.ReadAll(body)
		size = int64(len(c.body))
	} else {
		size, err = io.CopyBuffer(struct{ io.Writer }{c.sink}, struct{ io.Reader }{body}, c.piece)
	}
	if err != nil {
		return size, err
	}
	if h.chunked {
		_, err = c.in.ReadSlice('\n') // the line behind the last chunk
	} else if size < h.length {
		err = io.ErrUnexpectedEOF
	}
	return size, err
}

// catchUp reads until there is nothing more, and gives the bytes it read.
func (c *client) catchUp(ctx context.Context) (size int64, err error) {
	for {
		a, err := c.ask(ctx, false)
		size += a.size
		if err != nil || a.upToDate {
			return size, err
		}
	}
}
