package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
)

var lineEnd = []byte("\r\n")

// usualAnswer is one of the usual form, in one piece of memory: in a process that was
// idle each allocation takes microseconds.
type usualAnswer struct {
	http.Response
	sized   sized
	chunked chunked
	values  [16]string // those of the header, if they are not more
}

// usual makes an answer without its body from what is in the buffer, and says how long
// its head is: 0 if it is not whole there, or not of the usual form.
//
// That form is what origins write for an answer with a body: HTTP/1.1, a status of 200 to
// 599 that has one, lines that end in CRLF, names of letters, digits and hyphens, values
// of visible ASCII and blanks, and one Content-Length, or chunks. Of it there are no two
// opinions, so little code reads it. A header that changes what the others or the
// connection mean, and all that is odd, is left to net/http.
func usual(buffered []byte) (a *usualAnswer, size int) {
	end := bytes.Index(buffered, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, 0
	}
	line, lines, _ := bytes.Cut(buffered[:end+len(lineEnd)], lineEnd)
	status, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(status) < len("200 ") || status[3] != ' ' || !visible(status) {
		return nil, 0
	}
	code, err := strconv.Atoi(string(status[:3]))
	if err != nil || code < 200 || code > 599 || code == http.StatusNoContent || code == http.StatusNotModified {
		return nil, 0
	}
	var text strings.Builder // all that is kept of the head
	text.Grow(end)
	text.Write(status)
	a = &usualAnswer{Response: http.Response{
		Status: text.String(), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, bytes.Count(lines, lineEnd)), ContentLength: -1,
	}}
	values := a.values[:0]
	for len(lines) > 0 {
		line, lines, _ = bytes.Cut(lines, lineEnd)
		name, rest, ok := bytes.Cut(line, []byte(":"))
		at := text.Len()
		if !ok || !visible(rest) || !addName(&text, name) {
			return nil, 0
		}
		from := text.Len()
		text.Write(bytes.Trim(rest, " \t"))
		key, value := text.String()[at:from], text.String()[from:]
		if !a.admits(key, value) {
			return nil, 0
		}
		if key == transferEncoding { // net/http keeps it from the header
			continue
		}
		if before, again := a.Header[key]; again {
			a.Header[key] = append(before, value)
			continue
		}
		values = append(values, value)
		a.Header[key] = slices.Clip(values[len(values)-1:]) // what is appended must not get to the next
	}
	if (a.ContentLength < 0) == (a.TransferEncoding == nil) { // neither, or both
		return nil, 0
	}
	return a, end + 2*len(lineEnd)
}

// What says that a body comes in chunks.
const (
	transferEncoding = "Transfer-Encoding"
	chunkedCoding    = "chunked"
)

// open gives the answer its body, which is next in the buffer.
func (a *usualAnswer) open(in *bufio.Reader) {
	switch {
	case a.TransferEncoding != nil:
		a.chunked = chunked{in: in, chunks: httputil.NewChunkedReader(in), answer: &a.Response}
		a.Body = &a.chunked
	case a.ContentLength > 0:
		a.sized = sized{in, a.ContentLength}
		a.Body = &a.sized
	default:
		a.Body = http.NoBody
	}
}

// admits says whether the usual form has a header, and notes the length.
func (a *usualAnswer) admits(key, value string) bool {
	switch key {
	case "Connection", "Pragma", "Trailer", "Upgrade":
		return false
	case transferEncoding:
		if value != chunkedCoding || a.TransferEncoding != nil {
			return false
		}
		a.TransferEncoding = []string{chunkedCoding}
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 63) // which takes digits and nothing else
		if err != nil || a.ContentLength >= 0 {
			return false
		}
		a.ContentLength = int64(n)
	}
	return true
}

// addName writes the name of a header as http.CanonicalHeaderKey does, but into memory
// that is there. It knows letters, digits and hyphens.
func addName(to *strings.Builder, name []byte) bool {
	first := true
	for _, b := range name {
		switch {
		case 'a' <= b && b <= 'z':
			if first {
				b -= 'a' - 'A'
			}
		case 'A' <= b && b <= 'Z':
			if !first {
				b += 'a' - 'A'
			}
		case b != '-' && (b < '0' || b > '9'):
			return false
		}
		to.WriteByte(b)
		first = b == '-'
	}
	return len(name) > 0
}

// visible says of text that it is visible ASCII and blanks.
func visible(text []byte) bool {
	for _, b := range text {
		if (b < ' ' || b > '~') && b != '\t' {
			return false
		}
	}
	return true
}

// sized is a body of known length.
type sized struct {
	in   *bufio.Reader
	left int64
}

// Read implements io.Reader. The end comes with the last byte.
func (s *sized) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.in.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case err == nil && s.left == 0:
		return n, io.EOF
	case err == io.EOF && s.left > 0:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements io.Closer. It has nothing to do: a body holds the connection.
func (s *sized) Close() error { return nil }
