package http1

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// Whatever a server of net/http answers with comes whole, and leaves the connection
// to the next.
func TestAnswersOfARealServer(t *testing.T) {
	large := strings.Repeat("a row of many ", 100_000)
	for name, c := range map[string]struct {
		method string
		answer http.HandlerFunc
		status int
		body   string
	}{
		"with a length": {"GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "[1]") }, 200, "[1]"},
		"empty":         {"GET", func(http.ResponseWriter, *http.Request) {}, 200, ""},
		"chunked": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				io.WriteString(w, "[1]")
				w.(http.Flusher).Flush()
			}
		}, 200, "[1][1][1]"},
		"large": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			io.WriteString(w, large)
		}, 200, large},
		"large and chunked": {"GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, large) }, 200, large},
		"204":               {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 204, ""},
		"304":               {"GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, 304, ""},
		"HEAD":              {"HEAD", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "17") }, 200, ""},
		"500":               {"GET", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }, 500, "no\n"},
	} {
		t.Run(name, func(t *testing.T) {
			url := server(t, c.answer)
			transport, dialed := counted(t)
			for range 3 {
				got, err := call(transport, request(t.Context(), t, c.method, url))
				if err != nil || got.err != nil || got.resp.StatusCode != c.status || got.body != c.body {
					t.Errorf("%+v, %v", got, err)
				}
			}
			if n := dialed.Load(); n != 1 {
				t.Errorf("%d connections for 3 calls", n)
			}
		})
	}
}

// The request is what net/http's Transport would have sent, in one piece.
func TestTheRequest(t *testing.T) {
	var got []string
	url := server(t, func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Proto, " ", r.Host, " ", r.Header))
	})
	plain := &http.Transport{DisableCompression: true}
	defer plain.CloseIdleConnections()
	for _, transport := range []http.RoundTripper{transport(t), plain} {
		r := request(t.Context(), t, "", url+"/v1/shape?where=%22a%22&live=true")
		r.Header.Set("Traceparent", "00-1-2-01")
		r.Host = "electric.internal"
		if _, err := call(transport, r); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || got[0] != got[1] {
		t.Errorf("%s\nnet/http's:\n%s", got[0], got[1])
	}
}

func TestWhatIsNotTaken(t *testing.T) {
	url := server(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	for name, change := range map[string]func(*http.Request){
		"POST":   func(r *http.Request) { r.Method = http.MethodPost },
		"https":  func(r *http.Request) { r.URL.Scheme = "https" },
		"nobody": func(r *http.Request) { r.URL.Host = "" },
		"no URL": func(r *http.Request) { r.URL = nil },
		"header": func(r *http.Request) { r.Header = nil },
	} {
		r := request(t.Context(), t, http.MethodGet, url)
		change(r)
		if a, err := call(transport(t), r); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	r := request(t.Context(), t, http.MethodGet, url)
	body := &closable{Reader: strings.NewReader("x")}
	r.Body = body
	if _, err := call(transport(t), r); err == nil || !body.closed {
		t.Errorf("a body: %v, closed: %t", err, body.closed)
	}
}

type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

// Trailers come with the end of the body.
func TestTrailers(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Sum")
		io.WriteString(w, "x")
		w.Header().Set("Sum", "1")
	})
	if got := get(t, transport(t), url); got.resp.Trailer.Get("Sum") != "1" || got.err != nil {
		t.Errorf("%v, %v", got.resp.Trailer, got.err)
	}
}

// A reader may take a body as it likes.
func TestBodiesInSmallPieces(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 10_000)
	url := server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(want) })
	transport, dialed := counted(t)
	for range 2 {
		resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodGet, url))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(resp.Body))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d, %v", n, err)
		}
	}
	if dialed.Load() != 1 {
		t.Errorf("%d connections", dialed.Load())
	}
}

// Thousands that wait at the same time each get their own answer, and few connections
// remain.
func TestThousandsAtTheSameTime(t *testing.T) {
	const callers = 2000
	var waiting sync.WaitGroup
	waiting.Add(callers)
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, "/held") {
			waiting.Done()
			waiting.Wait()
		}
		fmt.Fprintf(w, "%s %x", r.RequestURI, sha256.Sum256([]byte(r.RequestURI)))
	})
	transport := transport(t)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for _, path := range []string{fmt.Sprintf("/held/%d", caller), fmt.Sprintf("/then/%d", caller)} {
				got, err := call(transport, request(t.Context(), t, http.MethodGet, url+path))
				if err != nil || got.err != nil || got.body != fmt.Sprintf("%s %x", path, sha256.Sum256([]byte(path))) {
					t.Errorf("%s: %q, %v", path, got.body, err)
				}
			}
		})
	}
	all.Wait()
	if n := idling(transport); n == 0 || n > transport.MaxIdlePerHost {
		t.Errorf("%d connections idle", n)
	}
}

// idling is how many connections have no call.
func idling(t *Transport) (n int) {
	t.idle.mu.Lock()
	defer t.idle.mu.Unlock()
	for _, all := range t.idle.conns {
		n += len(all)
	}
	return n
}
