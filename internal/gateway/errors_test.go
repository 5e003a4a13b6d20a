package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// noDirectory knows nobody, or fails.
type noDirectory struct{ err error }

func (d noDirectory) EnvironmentByID(context.Context, string) (*auth.Entry, error) {
	return nil, d.err
}

func (d noDirectory) EnvironmentByKey(context.Context, auth.Key) (*auth.Entry, error) {
	return nil, d.err
}

// authError is the error of a request with a key, before this directory.
func authError(t *testing.T, directoryErr error) error {
	t.Helper()
	a, err := auth.NewAuthenticator(auth.Config{Directory: noDirectory{directoryErr}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authenticate(t.Context(), http.Header{"Authorization": {"Bearer tr_dev_x"}})
	return err
}

func TestWriteError(t *testing.T) {
	secret := errors.New("host=db.internal")
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
		header map[string]string
		logged string // "" for nothing
	}{
		"params": {
			paramsError(wrong("runId", "is not a run's id")), 400,
			`{"error":"Params Error","details":[{"code":"custom","path":["runId"],"message":"is not a run's id"}]}`, nil, "",
		},
		"query": {
			queryError(wrongWhole("too much"), wrong("tags", "a tag is empty")), 400,
			`{"error":"Query Error","details":[{"code":"custom","path":[],"message":"too much"},` +
				`{"code":"custom","path":["tags"],"message":"a tag is empty"}]}`, nil, "",
		},
		"not found":        {notFound(false), 404, `{"error":"Not found"}`, map[string]string{"X-Should-Retry": "false"}, ""},
		"not found yet":    {notFound(true), 404, `{"error":"Not found"}`, map[string]string{"X-Should-Retry": "true"}, ""},
		"full":             {tooMany(), 429, `{"error":"Too many concurrent requests"}`, nil, ""},
		"upstream":         {unavailable(secret), 503, `{"error":"Service Unavailable"}`, map[string]string{"Retry-After": "1"}, "db.internal"},
		"unknown key":      {authError(t, auth.ErrUnknown), 401, `{"error":"Invalid API key"}`, nil, ""},
		"directory failed": {authError(t, secret), 503, `{"error":"Authentication is temporarily unavailable"}`, map[string]string{"Retry-After": "1"}, "db.internal"},
		"forbidden": {
			(&auth.Principal{}).Require("read", auth.Resource{Type: "runs"}), 403,
			`{"error":"Unauthorized","code":"unauthorized","param":"access_token","type":"authorization"}`, nil, "",
		},
		"wrapped":       {fmt.Errorf("route: %w", tooMany()), 429, `{"error":"Too many concurrent requests"}`, nil, ""},
		"anything else": {secret, 500, `{"error":"Internal Server Error"}`, nil, "db.internal"},
	} {
		var log bytes.Buffer
		rec := httptest.NewRecorder()
		writeError(zerolog.New(&log).WithContext(t.Context()), rec, c.err)

		if rec.Code != c.status || rec.Body.String() != c.body {
			t.Errorf("%s: %d %s, want %d %s", name, rec.Code, rec.Body, c.status, c.body)
		}
		for _, h := range []string{"Retry-After", "X-Should-Retry"} {
			if got := rec.Header().Get(h); got != c.header[h] {
				t.Errorf("%s: %s is %q, want %q", name, h, got, c.header[h])
			}
		}
		if got := rec.Header().Get("Content-Type"); got != jsonType {
			t.Errorf("%s: Content-Type is %q", name, got)
		}
		if got := rec.Header().Get("Content-Length"); got != fmt.Sprint(len(c.body)) {
			t.Errorf("%s: Content-Length is %s of %d", name, got, len(c.body))
		}
		if c.logged == "" && log.Len() > 0 || !strings.Contains(log.String(), c.logged) {
			t.Errorf("%s: logged %q, want %q in it", name, &log, c.logged)
		}
		for header, values := range rec.Header() {
			if strings.Contains(strings.Join(values, ""), "db.internal") {
				t.Errorf("%s: %s shows the cause", name, header)
			}
		}
	}
}

// A client that left is nobody's fault: its cancelled query is not an error of
// the server's.
func TestWriteErrorAfterClientLeft(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(zerolog.New(&log).WithContext(t.Context()))
	cancel()
	rec := httptest.NewRecorder()
	writeError(ctx, rec, unavailable(ctx.Err()))
	if log.Len() > 0 {
		t.Errorf("logged %q", &log)
	}
}

func TestOrErrorLeavesAnswersAlone(t *testing.T) {
	rec := httptest.NewRecorder()
	orError(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot)
		return nil
	})(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/", http.NoBody))
	if rec.Code != http.StatusTeapot || rec.Body.Len() > 0 {
		t.Errorf("answered %d %q", rec.Code, rec.Body)
	}
}
