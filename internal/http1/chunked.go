package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
)

// What net/http says of trailers, which is what callers of this are told.
var (
	errTrailerCut  = errors.New("http: unexpected EOF reading trailer")
	errTrailerLong = errors.New("http: suspiciously long trailer after chunked body")
)

// chunked is a body in chunks, with what follows the last.
type chunked struct {
	in     *bufio.Reader
	chunks io.Reader
	answer *http.Response
}

// Read implements io.Reader. If there is room the end comes with the last byte.
func (c *chunked) Read(p []byte) (int, error) {
	n, err := c.chunks.Read(p)
	if err == io.EOF {
		if trouble := c.trailer(); trouble != nil {
			err = trouble
		}
	}
	return n, err
}

// trailer reads up to the end of the answer: mostly an empty line.
func (c *chunked) trailer() error {
	next, err := c.in.Peek(2)
	switch {
	case string(next) == lineEnd:
		_, _ = c.in.Discard(len(lineEnd))
		return nil
	case len(next) < 2:
		return errTrailerCut
	case err != nil:
		return err
	case !c.ends():
		return errTrailerLong
	}
	header, err := textproto.NewReader(c.in).ReadMIMEHeader()
	switch {
	case err == io.EOF:
		return errTrailerCut
	case err != nil:
		return err
	}
	if len(header) > 0 {
		c.answer.Trailer = http.Header(header)
	}
	return nil
}

// ends says whether a trailer ends within the buffer.
func (c *chunked) ends() bool {
	for size := 4; ; size++ {
		seen, err := c.in.Peek(size)
		if bytes.HasSuffix(seen, []byte("\r\n\r\n")) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// Close implements io.Closer. It has nothing to do: a body holds the connection.
func (c *chunked) Close() error { return nil }
