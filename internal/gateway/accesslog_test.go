package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

// logged makes a router of a few endings, and what it has logged.
func logged() (http.Handler, *bytes.Buffer) {
	var log bytes.Buffer
	r := chi.NewRouter()
	r.Use(routed)
	r.Route("/realtime/v1", func(r chi.Router) {
		r.Get("/runs/{runId}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "12345") })
		r.Get("/silent", func(http.ResponseWriter, *http.Request) {})
		r.Get("/error", orError(func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }))
		r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		r.Get("/flush", func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		})
	})
	return &entrance{next: r, log: zerolog.New(&log), observer: nobody{}}, &log
}

type logLine struct {
	Level     string   `json:"level"`
	RequestID string   `json:"request_id"`
	Method    string   `json:"method"`
	Route     string   `json:"route"`
	Status    int      `json:"status"`
	Bytes     int      `json:"bytes"`
	Duration  *float64 `json:"duration"`
	Message   string   `json:"message"`
}

func readLog(t *testing.T, log *bytes.Buffer) (lines []logLine) {
	t.Helper()
	for decoder := json.NewDecoder(log); decoder.More(); {
		var line logLine
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestAccessLog(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		want           logLine
	}{
		"a run": {"GET", "/realtime/v1/runs/run_secret?tags=secret&handle=secret", logLine{
			Method: "GET", Route: "/realtime/v1/runs/{runId}", Status: 200, Bytes: 5,
		}},
		"nothing written": {"GET", "/realtime/v1/silent", logLine{Method: "GET", Route: "/realtime/v1/silent", Status: 200}},
		"flushed":         {"GET", "/realtime/v1/flush", logLine{Method: "GET", Route: "/realtime/v1/flush", Status: 200}},
		"no route":        {"GET", "/secret/secret", logLine{Method: "GET", Route: "unmatched", Status: 404, Bytes: 19}},
		"a made-up method": {"SECRET", "/realtime/v1/silent", logLine{
			Method: "other", Route: "unmatched", Status: 405,
		}},
		"an error": {"GET", "/realtime/v1/error", logLine{Method: "GET", Route: "/realtime/v1/error", Status: 500, Bytes: 33}},
	} {
		r, log := logged()
		req := httptest.NewRequestWithContext(t.Context(), c.method, c.target, http.NoBody)
		req.Header.Set("Authorization", "Bearer secret")
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)

		if strings.Contains(strings.ToLower(log.String()), "secret") {
			t.Errorf("%s: the log shows what it must not: %s", name, log)
		}
		lines := readLog(t, log)
		got := lines[len(lines)-1]
		if got.RequestID == "" || got.RequestID != rec.Header().Get("X-Request-Id") {
			t.Errorf("%s: logged as %q, answered as %q", name, got.RequestID, rec.Header().Get("X-Request-Id"))
		}
		if got.Duration == nil {
			t.Errorf("%s: no duration", name)
		}
		for _, line := range lines { // also the line of an error
			if line.RequestID != got.RequestID {
				t.Errorf("%s: a line has the id %q, another %q", name, line.RequestID, got.RequestID)
			}
		}
		got.RequestID, got.Duration = "", nil
		c.want.Level, c.want.Message = "info", "request"
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func TestAccessLogOfPanic(t *testing.T) {
	r, log := logged()
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler { // the very value that was thrown
				t.Errorf("recovered %v, want the handler's own panic", v)
			}
		}()
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/realtime/v1/panic", http.NoBody))
	}()
	if lines := readLog(t, log); len(lines) != 1 || lines[0].Status != 500 {
		t.Errorf("logged %+v, want one line with a 500", lines)
	}
}

func TestAccessLogOfClientThatLeft(t *testing.T) {
	r, log := logged()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/realtime/v1/silent", http.NoBody))
	if lines := readLog(t, log); len(lines) != 1 || lines[0].Status != 499 {
		t.Errorf("logged %+v, want one line with a 499", lines)
	}
}

func TestRequestID(t *testing.T) {
	for id, kept := range map[string]bool{
		"abc-DEF_0.9": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\nb": false, `"`: false, "é": false,
	} {
		got := requestID(http.Header{requestIDHeader: {id}})
		if (got == id) != kept || got == "" {
			t.Errorf("%q became %q; kept must be %v", id, got, kept)
		}
	}
	if a, b := requestID(nil), requestID(nil); a == b {
		t.Errorf("two requests have the id %s", a)
	}
}

// What is added to a request's logger on its way stands in its last line, too.
func TestAccessLogHasWhatWasAdded(t *testing.T) {
	var log bytes.Buffer
	e := &entrance{log: zerolog.New(&log), observer: nobody{}, next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		zerolog.Ctx(r.Context()).UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Str("trace_id", "17") })
		zerolog.Ctx(r.Context()).Info().Msg("on the way")
	})}
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if n := strings.Count(log.String(), `"trace_id":"17"`); n != 2 {
		t.Errorf("%d of two lines have it: %s", n, &log)
	}
}
