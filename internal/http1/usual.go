package http1

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
)

const lineEnd = "\r\n"

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
//
// It is one pass. A held call is answered in a process that was idle, where
// code costs by its size more than by how often it runs.
func usual(buffered []byte) (a *usualAnswer, size int) {
	code, at := statusLine(buffered)
	if at == 0 {
		return nil, 0
	}
	var room [1 << 10]byte
	var places [24]place
	text, lines := append(room[:0], buffered[len(protocol):at-len(lineEnd)]...), places[:0]
	for at < len(buffered) && buffered[at] != '\r' {
		var line place
		if text, line, at = header(text, buffered, at); at == 0 {
			return nil, 0
		}
		lines = append(lines, line)
	}
	if !endsLine(buffered, at) {
		return nil, 0
	}
	a = &usualAnswer{Response: http.Response{
		StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
	}}
	if !a.fill(string(text), lines) {
		return nil, 0
	}
	return a, at + len(lineEnd)
}

const protocol = "HTTP/1.1 "

// statusLine reads the first line: the status, and where the next begins; 0 if it is not of
// the usual form.
func statusLine(b []byte) (code, next int) {
	const digits = len(protocol)
	if len(b) < digits+4 || string(b[:digits]) != protocol || b[digits+3] != ' ' {
		return 0, 0
	}
	for _, c := range b[digits : digits+3] {
		if c < '0' || c > '9' {
			return 0, 0
		}
		code = 10*code + int(c-'0')
	}
	end := visible(b, digits)
	if code < 200 || code > 599 || code == http.StatusNoContent || code == http.StatusNotModified || !endsLine(b, end) {
		return 0, 0
	}
	return code, end + len(lineEnd)
}

// place is where a header stands in the text that is kept of a head.
type place struct{ name, value, end int }

// header adds the one that begins at from to text, its name as http.CanonicalHeaderKey
// writes it. next is where the line behind it begins; 0 if this is not of the usual form.
func header(text, b []byte, from int) (_ []byte, at place, next int) {
	at.name = len(text)
	i, begins := from, true // a word of the name
	for ; i < len(b) && b[i] != ':'; i++ {
		c := nameByte[b[i]]
		switch {
		case c == 0:
			return text, at, 0
		case begins && c >= 'a':
			c -= 'a' - 'A'
		}
		text = append(text, c)
		begins = c == '-'
	}
	end := visible(b, i+1)
	if i == from || !endsLine(b, end) {
		return text, at, 0
	}
	next = end + len(lineEnd)
	for i++; i < end && blank(b[i]); i++ {
	}
	for ; i < end && blank(b[end-1]); end-- {
	}
	at.value = len(text)
	text = append(text, b[i:end]...)
	at.end = len(text)
	return text, at, next
}

// nameByte gives what may stand in a name, letters in lower case, and 0 for all else.
var nameByte = func() (to [256]byte) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789-") {
		to[c] = c
		if c >= 'a' {
			to[c-'a'+'A'] = c
		}
	}
	return to
}()

func blank(c byte) bool { return c == ' ' || c == '\t' }

// visible gives the index behind the visible ASCII and blanks that stand at i.
func visible(b []byte, i int) int {
	for i < len(b) && (b[i] >= ' ' && b[i] <= '~' || b[i] == '\t') {
		i++
	}
	return i
}

// endsLine says that a line ends at i.
func endsLine(b []byte, i int) bool {
	return i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n'
}

// fill takes in the status and the headers, unless the usual form does not have them.
func (a *usualAnswer) fill(text string, lines []place) bool {
	a.Header = make(http.Header, len(lines))
	values := a.values[:0]
	for i, line := range lines {
		if i == 0 {
			a.Status = text[:line.name]
		}
		key, value := text[line.name:line.value], text[line.value:line.end]
		switch {
		case !a.admits(key, value):
			return false
		case key == transferEncoding: // net/http keeps it from the header
			continue
		}
		values = append(values, value)
		some := len(a.Header)
		a.Header[key] = slices.Clip(values[len(values)-1:]) // what is appended must not get to the next
		if len(a.Header) == some {
			a.Header[key] = every(text, lines[:i+1], key)
		}
	}
	return (a.ContentLength < 0) != (a.TransferEncoding == nil) // not neither, nor both
}

// every gives the values of all headers of this name.
func every(text string, lines []place, name string) (values []string) {
	for _, line := range lines {
		if text[line.name:line.value] == name {
			values = append(values, text[line.value:line.end])
		}
	}
	return values
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
