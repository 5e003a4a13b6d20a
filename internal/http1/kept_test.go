package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// arrival waits until something comes on a connection that idles, or it is closed.
func arrival(t *testing.T, transport *Transport) {
	t.Helper()
	for _, all := range transport.idle.conns {
		if err := all[0].socket.Read(func(uintptr) bool { return !all[0].fit() }); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("no connection idles")
}

// A server that closes a kept connection costs its next caller nothing, whether the
// close is there already or meets the request on its way, in order or rudely.
func TestKeptConnectionsThatAreClosed(t *testing.T) {
	for name, end := range map[string]func(net.Conn, *bufio.Reader){
		"at once":           func(net.Conn, *bufio.Reader) {},
		"behind the next":   func(_ net.Conn, in *bufio.Reader) { asked(in) },
		"in the next":       func(_ net.Conn, in *bufio.Reader) { in.ReadByte() }, // what is unread makes it a reset
		"behind it, rudely": func(conn net.Conn, in *bufio.Reader) { asked(in); conn.(*net.TCPConn).SetLinger(0) },
	} {
		t.Run(name, func(t *testing.T) {
			url := raw(t, func(_ int, conn net.Conn, _ *bufio.Reader) {
				in := bufio.NewReaderSize(conn, 16)
				if !asked(in) {
					return
				}
				io.WriteString(conn, good)
				end(conn, in)
			})
			transport, dialed := counted(t)
			for range 5 {
				if got := get(t, transport, url); got.body != "[1]" || got.err != nil {
					t.Fatalf("%q, %v", got.body, got.err)
				}
				if name == "at once" {
					arrival(t, transport)
				}
			}
			if dialed.Load() != 5 {
				t.Errorf("%d connections", dialed.Load())
			}
		})
	}
}

// Whoever takes a connection sees that it is closed, and does not send anything there.
func TestNothingIsSentToAClosedConnection(t *testing.T) {
	var requests atomic.Int64
	url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for asked(in) {
			if requests.Add(1); requests.Load() > 1 {
				io.WriteString(conn, good)
				continue
			}
			io.WriteString(conn, good)
			conn.(*net.TCPConn).CloseWrite() // it would still read what is sent
		}
	})
	transport := transport(t)
	get(t, transport, url)
	arrival(t, transport)
	get(t, transport, url)
	if requests.Load() != 2 {
		t.Errorf("%d requests for 2 calls", requests.Load())
	}
}

// A request is sent again once, and only if nothing of an answer came.
func TestWhatIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		second string // what a kept connection brings
		third  string // what a new one brings
		asked  int64
		body   string // "": an error
	}{
		"closed":              {"", good, 3, "[1]"},
		"closed, and again":   {"", "", 3, ""},
		"a byte came":         {"H", good, 2, ""},
		"only a hint came":    {"HTTP/1.1 100 Continue\r\n\r\n", good, 2, ""},
		"the head, no body":   {good[:len(good)-3], good, 2, ""},
		"what is not an HTTP": {"no\r\n\r\n", good, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				for asked(in) {
					switch n.Add(1) {
					case 1:
						io.WriteString(conn, good)
						continue
					case 2:
						io.WriteString(conn, c.second)
					default:
						io.WriteString(conn, c.third)
					}
					return
				}
			})
			transport := transport(t)
			get(t, transport, url)
			got, err := call(transport, request(t.Context(), t, http.MethodGet, url))
			if ok := err == nil && got.err == nil; ok != (c.body != "") || ok && got.body != c.body || n.Load() != c.asked {
				t.Errorf("%q, %v, %v; asked %d times", got.body, err, got.err, n.Load())
			}
			if c.body == "" && errors.Is(err, errUnanswered) {
				t.Errorf("the connection was new: %v", err)
			}
		})
	}
}

// An answer that nobody asked for is nobody's: neither if it comes with the one before,
// nor if it comes while the connection idles.
func TestAServerThatAnswersTwice(t *testing.T) {
	const wrong = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
	for name, later := range map[string]bool{"at once": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			more := make(chan struct{})
			url := raw(t, func(n int, conn net.Conn, in *bufio.Reader) {
				asked(in)
				if !later {
					io.WriteString(conn, good+wrong)
				} else if io.WriteString(conn, good); n == 1 {
					<-more
					io.WriteString(conn, wrong)
				}
				asked(in)
			})
			transport, dialed := counted(t)
			for range 2 {
				if got := get(t, transport, url); got.body != "[1]" {
					t.Errorf("%q", got.body)
				}
				if later && dialed.Load() == 1 {
					close(more)
					arrival(t, transport)
				}
			}
			if dialed.Load() != 2 {
				t.Errorf("%d connections", dialed.Load())
			}
		})
	}
}

// Connections that are not to be kept are closed.
func TestWhatIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		wire   string
		change func(*http.Request)
		read   int64
		kept   int
	}{
		"kept":                       {good, nil, 3, 1},
		"without a body":             {"HTTP/1.1 204 No Content\r\n\r\n", nil, 0, 1},
		"the answer closes":          {strings.Replace(good, "\r\n", "\r\nConnection: close\r\n", 1), nil, 3, 0},
		"closes, without a body":     {"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", nil, 0, 0},
		"the request closes":         {good, func(r *http.Request) { r.Close = true }, 3, 0},
		"HTTP/1.0":                   {strings.Replace(good, "1.1", "1.0", 1), nil, 3, 0},
		"a status under 100":         {strings.Replace(good, "200", "099", 1), nil, 3, 0},
		"a body not read":            {good, nil, 0, 0},
		"a body not read to its end": {good, nil, 2, 0},
		"204 with a body":            {"HTTP/1.1 204 No Content\r\n\r\n[1]", nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				defer close(gone)
				asked(in)
				io.WriteString(conn, c.wire)
				asked(in)
			})
			transport := transport(t)
			r := request(t.Context(), t, http.MethodGet, url)
			if c.change != nil {
				c.change(r)
			}
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, resp.Body, c.read); err != nil {
				t.Error(err)
			}
			resp.Body.Close()
			if n := idling(transport); n != c.kept {
				t.Errorf("%d connections idle", n)
			}
			if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
				t.Error("a body is read behind its end")
			}
			if c.kept == 0 {
				<-gone
			}
		})
	}
}

// No more are kept than may be, and none after CloseIdleConnections, until the next call.
func TestHowManyAreKept(t *testing.T) {
	url := raw(t, says(good))
	transport, dialed := counted(t)
	transport.MaxIdlePerHost = 2
	open := func(n int) (all []*http.Response) {
		for range n {
			resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodGet, url))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, resp)
		}
		return all
	}
	end := func(all []*http.Response) {
		for _, resp := range all {
			io.Copy(io.Discard, resp.Body)
		}
	}
	end(open(4))
	if idling(transport) != 2 || dialed.Load() != 4 {
		t.Errorf("%d of %d are kept", idling(transport), dialed.Load())
	}
	late := open(1)
	transport.CloseIdleConnections()
	end(late)
	if idling(transport) != 0 || transport.idle.timer != nil {
		t.Errorf("%d are kept behind CloseIdleConnections, timer: %v", idling(transport), transport.idle.timer)
	}
	if end(open(1)); idling(transport) != 1 || dialed.Load() != 5 {
		t.Errorf("%d are kept then, of %d", idling(transport), dialed.Load())
	}
}

// Nobody listens: that is said as net says it.
func TestNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, err = call(transport(t), request(t.Context(), t, http.MethodGet, "http://"+listener.Addr().String()))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}
