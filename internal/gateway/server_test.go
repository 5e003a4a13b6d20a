package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// serve starts a server on a free port until the test ends.
func serve(t *testing.T, cfg ServerConfig) (addr string) {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, ended := NewHTTPServer(cfg), make(chan error, 1)
	go func() { ended <- Serve(server, l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// get asks with only the protocol that set allows.
func get(t *testing.T, url, authorization string, set func(*http.Protocols)) (status int, body string, err error) {
	t.Helper()
	var protocols http.Protocols
	set(&protocols)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func h2c(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }

var echoProtocol = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })

func TestServerProtocols(t *testing.T) {
	url := "http://" + serve(t, ServerConfig{Handler: echoProtocol})
	if _, proto, err := get(t, url, "", http1); err != nil || proto != "HTTP/1.1" {
		t.Errorf("answered over %q, %v, want HTTP/1.1", proto, err)
	}
	if _, proto, err := get(t, url, "", h2c); err != nil || proto != "HTTP/2.0" {
		t.Errorf("answered over %q, %v, want HTTP/2.0 without TLS", proto, err)
	}
}

// The longest request that the gateway reads must pass: 10,000 bytes of query
// and 8 KiB of token. Beyond the bound HTTP/1.1 has a status, and HTTP/2 may end
// the connection instead.
func TestServerBoundsHeaders(t *testing.T) {
	url := "http://" + serve(t, ServerConfig{Handler: echoProtocol})
	long, tooLong := strings.Repeat("x", 20<<10), strings.Repeat("x", 1<<20)
	for name, protocol := range map[string]func(*http.Protocols){"HTTP/1.1": http1, "h2c": h2c} {
		if status, _, err := get(t, url, long, protocol); status != 200 {
			t.Errorf("%s: a header of 20 KiB is a %d, %v", name, status, err)
		}
		status, _, err := get(t, url, tooLong, protocol)
		if status == 200 || err == nil && status != 431 {
			t.Errorf("%s: a header of 1 MiB is a %d, %v, want a 431 or no answer", name, status, err)
		}
	}
}

// A connection that dawdles over its headers is closed, while a poll held for
// longer than that time is not.
func TestServerTimeouts(t *testing.T) {
	held, answer := make(chan struct{}), make(chan struct{})
	addr := serve(t, ServerConfig{
		ReadHeaderTimeout: 50 * time.Millisecond,
		IdleTimeout:       50 * time.Millisecond,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(held)
			select {
			case <-answer:
				_, _ = io.WriteString(w, "news")
			case <-r.Context().Done():
				t.Error("the held request was cancelled")
			}
		}),
	})
	poll := dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-held
	// These begin after the poll is held, so whatever closes them has had the
	// time to cut the poll as well.
	for _, sent := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n"} {
		if _, err := io.ReadAll(dial(t, addr, sent)); err != nil {
			t.Errorf("after %q: %v, want a closed connection", sent, err)
		}
	}
	close(answer)
	reader := bufio.NewReader(poll)
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "news" {
		t.Errorf("the held request got %q, %v", body, err)
	}
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection: %v, want a closed one", err)
	}
}

// A client asks again after a connection that was closed, and never after a 400.
func TestServerIsSilentToLateRequests(t *testing.T) {
	addr := serve(t, ServerConfig{ReadHeaderTimeout: 50 * time.Millisecond, Handler: echoProtocol})
	for _, first := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
		for _, rest := range []string{"", "GE", "GET /realtime/v1/runs", "GET / HTTP/1.1\r\nHost: x", "GET / HTTP/1.1\r\nHost: x\r\n"} {
			if first != "" && len(rest) < 4 {
				continue // idle to net/http, not late
			}
			conn := dial(t, addr, first+rest)
			reader := bufio.NewReader(conn)
			if first != "" {
				res, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != "HTTP/1.1" {
					t.Errorf("before %q: %q, %v", rest, body, err)
				}
				_ = res.Body.Close()
			}
			if text, err := io.ReadAll(reader); err != nil || len(text) > 0 {
				t.Errorf("%q and nothing more is answered with %q, %v; want a closed connection", first+rest, text, err)
			}
		}
	}
	// What is wrong and not late is told so.
	if text, err := io.ReadAll(dial(t, addr, "GET /of/no/version\r\n\r\n")); !bytes.HasPrefix(text, []byte("HTTP/1.1 400 ")) {
		t.Errorf("a request of no version is answered with %q, %v; want a 400", text, err)
	}
}

// dial opens a connection and sends text. Reads give up after ten seconds.
func dial(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestServerDefaults(t *testing.T) {
	server := NewHTTPServer(ServerConfig{Addr: "127.0.0.1:1", Handler: echoProtocol})
	if server.ReadHeaderTimeout != 5*time.Second || server.IdleTimeout != 90*time.Second ||
		server.MaxHeaderBytes != 32<<10 || server.Addr != "127.0.0.1:1" {
		t.Errorf("defaults are %v, %v, %d, %s", server.ReadHeaderTimeout, server.IdleTimeout, server.MaxHeaderBytes, server.Addr)
	}
	if server.WriteTimeout != 0 || server.ReadTimeout != 0 {
		t.Errorf("timeouts %v and %v would cut held polls", server.WriteTimeout, server.ReadTimeout)
	}
}

// syncBuffer is written by the server's goroutine and read by the test's.
type syncBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written context.CancelFunc
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.written()
	return b.text.Write(p)
}

func TestServerLogsPanics(t *testing.T) {
	written, done := context.WithCancel(t.Context())
	log := &syncBuffer{written: done}
	addr := serve(t, ServerConfig{
		Log:     zerolog.New(log),
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }),
	})
	if _, err := io.ReadAll(dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Error(err)
	}
	<-written.Done()
	log.mu.Lock()
	defer log.mu.Unlock()
	if text := log.text.String(); !strings.Contains(text, `"level":"warn"`) || !strings.Contains(text, "broken") {
		t.Errorf("logged %q", text)
	}
}
