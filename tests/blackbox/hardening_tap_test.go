package blackbox

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// tapped is an upstream that is asked over TCP, and what went over it.
type tapped struct {
	t       *testing.T
	instead atomic.Pointer[http.HandlerFunc] // answers, if set

	mu    sync.Mutex
	asked []string
}

// around serves next on a port, and leads the gateway's own transport there.
func (u *tapped) around(next http.RoundTripper) http.RoundTripper {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		u.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := u.instead.Load(); answer != nil {
			(*answer)(w, r)
			return
		}
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host, out.RequestURI = "http", r.Host, ""
		res, err := next.RoundTrip(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	transport := electric.NewTransport()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
		if err != nil {
			return nil, err
		}
		return tap{conn, u}, nil
	}
	u.t.Cleanup(func() { transport.CloseIdleConnections(); _ = server.Close(); <-ended })
	return transport
}

// tap notes what is written to a connection. A request without a body is written
// at once.
type tap struct {
	net.Conn
	u *tapped
}

func (c tap) Write(b []byte) (int, error) {
	c.u.mu.Lock()
	c.u.asked = append(c.u.asked, string(b))
	c.u.mu.Unlock()
	return c.Conn.Write(b)
}

func (u *tapped) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.asked)
}

// take gives the requests since the last take, in an order of their own.
func (u *tapped) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.asked
	u.asked = nil
	slices.Sort(all)
	return all
}

// trap listens where nobody may come.
type trap struct {
	url string
	got chan string
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{"http://" + listener.Addr().String(), make(chan string, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1000)
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			n, _ := conn.Read(b)
			tr.got <- "something: " + string(b[:n])
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	return tr
}

// asked says what came.
func (tr *trap) asked() (all []string) {
	for {
		select {
		case s := <-tr.got:
			all = append(all, s)
		default:
			return all
		}
	}
}
