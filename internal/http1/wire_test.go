package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const good = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nElectric-Handle: 1-2\r\n\r\n[1]"

// Answers of 1xx only say that there is more to come.
func TestWhatComesBeforeTheAnswer(t *testing.T) {
	const hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	transport, dialed := counted(t)
	url := raw(t, says(hints+good))
	for range 2 {
		if got := get(t, transport, url); got.body != "[1]" || got.resp.Header.Get("Link") != "" {
			t.Errorf("%q, %v", got.body, got.resp.Header)
		}
	}
	if dialed.Load() != 1 {
		t.Errorf("%d connections", dialed.Load())
	}
}

func TestAHeadByteByByte(t *testing.T) {
	url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for asked(in) {
			for _, b := range []byte(good) {
				conn.Write([]byte{b})
			}
		}
	})
	transport := transport(t)
	for range 3 {
		if got := get(t, transport, url); got.body != "[1]" || got.resp.Header.Get("Electric-Handle") != "1-2" {
			t.Errorf("%q, %v", got.body, got.resp.Header)
		}
	}
}

// A head that is no head is an error of RoundTrip. What of it is quoted stands behind
// words by which package electric knows it.
func TestHeadsThatAreBroken(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		is   error
		text string
	}{
		"nothing":          {"", io.ErrUnexpectedEOF, "connection broken"},
		"cut in a word":    {good[:10], nil, "connection broken: malformed HTTP"},
		"cut in a header":  {good[:30], nil, "connection broken: malformed MIME header"},
		"cut at its end":   {good[:len(good)-5], io.ErrUnexpectedEOF, "connection broken"},
		"no HTTP":          {"GET / 200 OK\r\n\r\n", nil, "connection broken: malformed HTTP"},
		"no status":        {"HTTP/1.1 OK\r\n\r\n", nil, "connection broken: malformed HTTP"},
		"no header":        {"HTTP/1.1 200 OK\r\nhandle\r\n\r\n", nil, "connection broken: malformed MIME header"},
		"two lengths":      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n[1]", nil, "connection broken"},
		"a large header":   {"HTTP/1.1 200 OK\r\nLarge: " + strings.Repeat("x", 70<<10) + "\r\n\r\n", nil, "headers exceeded 65536 bytes"},
		"many headers":     {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20<<10) + "\r\n", nil, "headers exceeded 65536 bytes"},
		"many hints":       {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10<<10), nil, "headers exceeded 65536 bytes"},
		"another protocol": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", errSwitched, "connection broken"},
	} {
		t.Run(name, func(t *testing.T) {
			transport, dialed := counted(t)
			a, err := call(transport, request(t.Context(), t, http.MethodGet, raw(t, once(c.wire))))
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%+v, %v", a, err)
			}
			if dialed.Load() != 1 || idling(transport) != 0 {
				t.Errorf("%d connections, %d idle", dialed.Load(), idling(transport))
			}
		})
	}
}

// A head may be nearly as large as is taken, and what follows is not counted with it.
func TestAHeadThatIsJustNotTooLarge(t *testing.T) {
	long, body := strings.Repeat("x", 60<<10), strings.Repeat("y", 200<<10)
	url := raw(t, once("HTTP/1.1 200 OK\r\nLarge: "+long+"\r\n\r\n"+body))
	if got := get(t, transport(t), url); got.resp.Header.Get("Large") != long || got.body != body || got.err != nil {
		t.Errorf("%d bytes of a header, %d of a body, %v", len(got.resp.Header.Get("Large")), len(got.body), got.err)
	}
}

// A body that is cut is never taken for a whole one, wherever that happens, and its
// connection is not used again.
func TestBodiesThatAreCut(t *testing.T) {
	const (
		whole   = "0123456789"
		length  = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
		chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	)
	for _, c := range []struct{ head, body string }{
		{length, whole},
		{chunked, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"},
	} {
		for n := range len(c.body) {
			transport := transport(t)
			got := get(t, transport, raw(t, once(c.head+c.body[:n])))
			inTrailer := n > strings.Index(c.body, "0\r\n\r\n")+2 && c.head == chunked // of which net/http says so otherwise
			if got.err == nil || got.err != io.ErrUnexpectedEOF && !inTrailer || !strings.HasPrefix(whole, got.body) || idling(transport) != 0 {
				t.Errorf("%q: %q, %v, %d idle", c.body[:n], got.body, got.err, idling(transport))
			}
		}
		if got := get(t, transport(t), raw(t, once(c.head+c.body))); got.err != nil || got.body != whole {
			t.Errorf("whole: %q, %v", got.body, got.err)
		}
	}
	reset := get(t, transport(t), raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		asked(in)
		io.WriteString(conn, length+"01234")
		conn.(*net.TCPConn).SetLinger(0)
	}))
	if !errors.Is(reset.err, io.ErrUnexpectedEOF) && !errors.Is(reset.err, syscall.ECONNRESET) {
		t.Errorf("reset: %q, %v", reset.body, reset.err)
	}
}

// A body that goes on until the connection ends is whole, and leaves none behind.
func TestABodyUntilTheEnd(t *testing.T) {
	transport, dialed := counted(t)
	url := raw(t, once("HTTP/1.1 200 OK\r\n\r\n[1]"))
	for range 2 {
		if got := get(t, transport, url); got.body != "[1]" || got.err != nil {
			t.Errorf("%q, %v", got.body, got.err)
		}
	}
	if dialed.Load() != 2 {
		t.Errorf("%d connections", dialed.Load())
	}
}
