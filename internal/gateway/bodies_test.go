package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// echoBody reads at most ten bytes of a body, and says them, or why it could not.
var echoBody = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.WriteHeader(http.StatusRequestTimeout)
	case err != nil:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}
	_, _ = w.Write(body)
})

// post sends a body on a transport's connection, and says whether that had been
// used before.
func post(t *testing.T, transport *http.Transport, url, body string) (status int, reused bool) {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, reused
}

// A connection goes on after a body that was read to its end, unless there is a
// drain, and after no other.
func TestConnectionsWithBodies(t *testing.T) {
	var draining atomic.Bool
	g := &gateway{config: Config{Draining: draining.Load}}
	unread := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for name, c := range map[string]struct {
		handler http.Handler
		body    string
		drain   bool
		status  int
		kept    bool
	}{
		"read":                {g.readsBodies(echoBody), "short", false, 200, true},
		"too large":           {g.readsBodies(echoBody), "longer than ten", false, 413, false},
		"not read":            {g.readsBodies(unread), "short", false, 204, false},
		"of no route":         {echoBody, "short", false, 200, false},
		"read, in a drain":    {g.lastInADrain(g.readsBodies(echoBody)), "short", true, 200, false},
		"there is none":       {g.readsBodies(echoBody), "", false, 200, true},
		"handed on elsewhere": {PassesBodies(echoBody), "short", false, 200, false},
	} {
		draining.Store(c.drain)
		transport := &http.Transport{}
		url := "http://" + serve(t, ServerConfig{Handler: c.handler})
		for i := range 2 {
			status, reused := post(t, transport, url, c.body)
			if status != c.status || reused != (c.kept && i > 0) {
				t.Errorf("%s, request %d: status %d, on a used connection: %v", name, i+1, status, reused)
			}
		}
		transport.CloseIdleConnections()
	}
}

// A body that does not come is answered when its time is over, over both protocols,
// and a handler may take its time once a body was read.
func TestBodiesHaveTheirTime(t *testing.T) {
	const within = 200 * time.Millisecond
	readOn := make(chan error, 1)
	patient := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		echoBody(w, r)
		if r.Header.Get("Patient") == "" {
			return
		}
		select {
		case <-r.Context().Done():
			readOn <- context.Cause(r.Context())
		case <-time.After(3 * within):
			readOn <- nil
		}
	})
	addr := serve(t, ServerConfig{Handler: withTime(patient, within, func(w http.ResponseWriter) { w.Header().Del("Connection") })})

	conn := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("a late body over HTTP/1.1: %v", err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout || !res.Close {
		t.Errorf("a late body over HTTP/1.1 is %d, the connection's last: %v", res.StatusCode, res.Close)
	}

	var protocols http.Protocols
	h2c(&protocols)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	never, end := io.Pipe()
	defer end.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, never)
	if err != nil {
		t.Fatal(err)
	}
	if res, err = transport.RoundTrip(r); err != nil {
		t.Fatalf("a late body over h2c: %v", err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a late body over h2c is %d", res.StatusCode)
	}

	_ = dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nPatient: yes\r\nContent-Length: 3\r\n\r\nabc")
	if err := <-readOn; err != nil {
		t.Errorf("the handler of a body that came was ended: %v", err)
	}
}

// A body that is handed on from behind routes that read theirs has the longer time,
// and its connection ends, though it was read to its end.
func TestBodiesHandedOnFromBehind(t *testing.T) {
	g := &gateway{config: Config{Draining: func() bool { return false }}}
	over := make(chan struct{})
	handler := withTime(PassesBodies(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(over)
		echoBody(w, r)
	})), -time.Second, func(w http.ResponseWriter) { w.Header().Del("Connection"); g.endConnection(w) })
	conn := dial(t, serve(t, ServerConfig{Handler: handler}), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
	<-over // the time of the routes before
	if _, err := io.WriteString(conn, "de"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || string(body) != "abcde" || !res.Close {
		t.Errorf("%d %q, the connection's last: %v, %v", res.StatusCode, body, res.Close, err)
	}
}
