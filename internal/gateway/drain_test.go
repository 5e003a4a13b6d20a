package gateway

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
)

// In a drain each answer is the last of its connection, over both protocols, so that
// the client's next request can go elsewhere; before, connections are kept.
func TestConnectionsEndInADrain(t *testing.T) {
	var draining atomic.Bool
	g := &gateway{config: Config{Draining: draining.Load}}
	url := "http://" + serve(t, ServerConfig{Handler: g.lastInADrain(echoProtocol)})
	for name, set := range map[string]func(*http.Protocols){"HTTP/1.1": http1, "h2c": h2c} {
		var protocols http.Protocols
		set(&protocols)
		transport := &http.Transport{Protocols: &protocols}
		reused := func() (kept bool) {
			trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { kept = c.Reused }}
			r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			return kept
		}
		draining.Store(false)
		if reused() || !reused() {
			t.Errorf("%s: connections are not kept", name)
		}
		draining.Store(true)
		if !reused() {
			t.Errorf("%s: the connection ended before its answer", name)
		}
		// Over HTTP/2 the connection's end is a frame that may come after the answer.
		for n := 0; reused(); n++ {
			if n == 100 {
				t.Fatalf("%s: a connection is kept in a drain", name)
			}
		}
		transport.CloseIdleConnections()
	}
}
