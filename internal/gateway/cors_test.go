package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
)

// corsHeaders are the headers of an answer that CORS is in charge of.
func corsHeaders(h http.Header) map[string][]string {
	got := map[string][]string{}
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
		"Access-Control-Max-Age", "Access-Control-Expose-Headers", "Access-Control-Allow-Credentials",
		"Vary", "Cache-Control",
	} {
		if values := h.Values(name); len(values) > 0 {
			got[name] = values
		}
	}
	return got
}

func TestCORS(t *testing.T) {
	r := chi.NewRouter()
	r.Use(CORS)
	r.Get("/feed", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") })
	r.Get("/broken", orError(func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }))

	const exposed = "electric-cursor,electric-handle,electric-has-data,electric-offset,electric-schema," +
		"electric-up-to-date,retry-after,electric-shape-id,electric-chunk-last-offset,electric-next-cursor," +
		"electric-chunk-up-to-date,x-trigger-jwt,x-trigger-jwt-claims"
	readable := map[string][]string{
		"Access-Control-Allow-Origin": {"https://app.example"}, "Access-Control-Expose-Headers": {exposed},
		"Vary": {"Origin"}, "Cache-Control": {"no-store"},
	}
	for name, c := range map[string]struct {
		method, path string
		header       map[string]string
		status       int
		body         string
		want         map[string][]string
	}{
		"preflight": {
			"OPTIONS", "/feed",
			map[string]string{
				"Origin": "https://app.example", "Access-Control-Request-Method": "GET",
				"Access-Control-Request-Headers": "authorization,trigger-version,x-trigger-branch",
			},
			200, "{}",
			map[string][]string{
				"Access-Control-Allow-Origin":  {"https://app.example"},
				"Access-Control-Allow-Methods": {"GET,HEAD,PUT,PATCH,POST,DELETE"},
				"Access-Control-Allow-Headers": {"authorization,trigger-version,x-trigger-branch"},
				"Access-Control-Max-Age":       {"300"},
				"Vary":                         {"Origin", "Access-Control-Request-Headers"},
			},
		},
		"preflight of no special header": {
			"OPTIONS", "/feed", map[string]string{"Origin": "https://app.example"}, 200, "{}",
			map[string][]string{
				"Access-Control-Allow-Origin":  {"https://app.example"},
				"Access-Control-Allow-Methods": {"GET,HEAD,PUT,PATCH,POST,DELETE"},
				"Access-Control-Max-Age":       {"300"},
				"Vary":                         {"Origin", "Access-Control-Request-Headers"},
			},
		},
		"OPTIONS without an origin": {
			"OPTIONS", "/feed", nil, 200, "{}",
			map[string][]string{"Vary": {"Origin", "Access-Control-Request-Headers"}},
		},
		"a feed": {"GET", "/feed", map[string]string{"Origin": "https://app.example"}, 200, "[]", readable},
		"an error": {
			"GET", "/broken", map[string]string{"Origin": "https://app.example"}, 500,
			`{"error":"Internal Server Error"}`, readable,
		},
		"no route": {"GET", "/nothing", map[string]string{"Origin": "https://app.example"}, 404, "404 page not found\n", readable},
		"opaque origin": {
			"GET", "/feed", map[string]string{"Origin": "null"}, 200, "[]",
			map[string][]string{
				"Access-Control-Allow-Origin": {"null"}, "Access-Control-Expose-Headers": {exposed},
				"Vary": {"Origin"}, "Cache-Control": {"no-store"},
			},
		},
		"no origin": {
			"GET", "/feed", nil, 200, "[]",
			map[string][]string{"Vary": {"Origin"}, "Cache-Control": {"no-store"}},
		},
	} {
		req := httptest.NewRequestWithContext(t.Context(), c.method, c.path, http.NoBody)
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		if rec.Code != c.status || rec.Body.String() != c.body {
			t.Errorf("%s: %d %q, want %d %q", name, rec.Code, rec.Body, c.status, c.body)
		}
		if diff := cmp.Diff(c.want, corsHeaders(rec.Header())); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", name, diff)
		}
	}
}
