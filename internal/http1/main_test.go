package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transport gives one that goes with its test.
func transport(t testing.TB) *Transport {
	made := New()
	t.Cleanup(made.CloseIdleConnections)
	return made
}

// counted counts the connections that a Transport makes.
func counted(t testing.TB) (*Transport, *atomic.Int64) {
	made, dial, n := transport(t), New().DialContext, new(atomic.Int64)
	made.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return dial(ctx, network, address)
	}
	return made, n
}

// server is a real one.
func server(t testing.TB, answer http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// raw is a TCP server that is no HTTP server. It gives each connection to serve, with
// its number from 1, and goes with its test.
func raw(t testing.TB, serve func(n int, conn net.Conn, in *bufio.Reader)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	var conns []net.Conn
	open.Go(func() {
		defer func() {
			for _, conn := range conns {
				conn.Close()
			}
		}()
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			open.Go(func() {
				defer conn.Close()
				serve(n, conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() { listener.Close(); open.Wait() })
	return "http://" + listener.Addr().String()
}

// says answers each request of a connection with the same bytes.
func says(wire string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, conn net.Conn, in *bufio.Reader) {
		for asked(in) {
			io.WriteString(conn, wire)
		}
	}
}

// once answers one request, and hangs up.
func once(wire string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, conn net.Conn, in *bufio.Reader) {
		asked(in)
		io.WriteString(conn, wire)
	}
}

// asked waits for a request; false: the client has hung up.
func asked(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

func request(ctx context.Context, t testing.TB, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is what a call comes to.
type answer struct {
	resp *http.Response
	body string
	err  error // of the body
}

// call makes one and reads its body. err is RoundTrip's.
func call(transport http.RoundTripper, r *http.Request) (a answer, err error) {
	a.resp, err = transport.RoundTrip(r)
	if err != nil {
		return a, err
	}
	defer a.resp.Body.Close()
	body, err := io.ReadAll(a.resp.Body)
	a.body, a.err = string(body), err
	return a, nil
}

// get expects an answer.
func get(t testing.TB, transport http.RoundTripper, url string) answer {
	t.Helper()
	a, err := call(transport, request(t.Context(), t, http.MethodGet, url))
	if err != nil {
		t.Fatal(err)
	}
	return a
}
