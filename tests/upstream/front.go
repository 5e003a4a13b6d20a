package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// Front stands before a shape server. It is safe for concurrent use, and goes with
// its test.
type Front struct {
	t       testing.TB
	next    http.RoundTripper
	behind  *url.URL
	address string

	mu      sync.Mutex
	server  *http.Server // nil: stopped
	ended   chan struct{}
	instead func(http.ResponseWriter, *http.Request) bool
	edit    func(*Answer)
	asked   int
}

// New starts one. What it is asked it passes on to the server at a base URL.
func New(t testing.TB, next http.RoundTripper, behind string) *Front {
	t.Helper()
	base, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{t: t, next: next, behind: base}
	f.take(f.somewhere())
	t.Cleanup(f.Stop)
	return f
}

// Address is host and port.
func (f *Front) Address() string { return f.address }

// URL is the base URL.
func (f *Front) URL() string { return "http://" + f.address }

// Transport is that of the program, but leads here whatever the URL names.
func (f *Front) Transport() *electric.Transport {
	transport := electric.NewTransport()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, f.address)
	}
	f.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Instead has a function answer, if it returns true; nil: nobody.
func (f *Front) Instead(answer func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = answer
}

// Edit has a function change the answers of the server; nil: nobody.
func (f *Front) Edit(edit func(*Answer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.edit = edit
}

// Asked is how many questions about shapes there were.
func (f *Front) Asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// Start takes connections again.
func (f *Front) Start() {
	f.t.Helper()
	listener, err := f.listen()
	if err != nil {
		f.t.Fatal(err)
	}
	f.take(listener)
}

// somewhere finds an address that is free, and below those that the system gives to
// outgoing connections: one of them could take it while nobody listens.
func (f *Front) somewhere() net.Listener {
	f.t.Helper()
	for {
		f.address = fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		listener, err := f.listen()
		if err == nil {
			return listener
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			f.t.Fatal(err)
		}
	}
}

func (f *Front) listen() (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.WithoutCancel(f.t.Context()), "tcp", f.address)
}

func (f *Front) take(listener net.Listener) {
	server, ended := &http.Server{Handler: http.HandlerFunc(f.serve)}, make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server, f.ended = server, ended
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until it is closed
	}()
}

// Stop cuts every connection, and takes none.
func (f *Front) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server == nil {
		return
	}
	_ = f.server.Close()
	<-f.ended
	f.server = nil
}

func (f *Front) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if r.URL.Path == "/v1/shape" {
		f.asked++
	}
	instead := f.instead
	f.mu.Unlock()
	if instead != nil && instead(w, r) {
		return
	}
	answer, err := f.pass(r)
	if err != nil {
		panic(http.ErrAbortHandler) // as the server behind does
	}
	f.mu.Lock()
	edit := f.edit
	f.mu.Unlock()
	if edit != nil {
		edit(answer)
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.Body)))
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body[:answer.Break])
	if answer.Break > 0 {
		_ = http.NewResponseController(w).Flush()
	}
	switch {
	case answer.Until != nil:
		select {
		case <-answer.Until:
		case <-r.Context().Done():
		}
	case answer.Break > 0:
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(answer.Body[answer.Break:])
}

// pass asks the server behind.
func (f *Front) pass(r *http.Request) (*Answer, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = f.behind.Scheme, f.behind.Host, "", ""
	res, err := f.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	res.Header.Del("Content-Length")
	return &Answer{Request: r, Status: res.StatusCode, Header: res.Header, Body: body}, err
}

// Wire answers with bytes as they stand, and hangs up: rudely, if reset.
func Wire(w http.ResponseWriter, wire []byte, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write(wire)
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
