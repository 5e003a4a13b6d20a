package platform_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/platform"
)

// What is passed on arrives as it was sent, and so do the answers, a piece of a
// stream when it is there.
func TestElsewhere(t *testing.T) {
	goOn := make(chan struct{})
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Trigger-Jwt", "theirs")
		w.Header().Set("Access-Control-Allow-Origin", "theirs too")
		if strings.HasSuffix(r.URL.Path, "/stream") {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-goOn
			_, _ = io.WriteString(w, "data: 2\n\n")
			return
		}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("X-Forwarded-For"), body)
	}))
	defer behind.Close()
	elsewhere, err := platform.Elsewhere(behind.URL + "/base")
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(elsewhere)
	defer front.Close()
	ask := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, front.URL+path, strings.NewReader("the body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer key")
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := ask("/api/v1/x%2Fy?a=%20b&a=c;d")
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	if want := "PUT /base/api/v1/x%2Fy?a=%20b&a=c;d Bearer key 192.0.2.1, 127.0.0.1 the body"; err != nil || string(text) != want || res.StatusCode != http.StatusTeapot {
		t.Errorf("%d %q instead of %q", res.StatusCode, text, want)
	}
	if h := res.Header; h.Get("X-Trigger-Jwt") != "theirs" || h.Get("Access-Control-Allow-Origin") != "theirs too" {
		t.Errorf("the headers are %v", h)
	}

	for path, status := range map[string]int{
		"/api/../admin/secret": 400, "/api/%2e%2e/admin": 400, "/api/..%2fadmin": 400, "/api/v1%2F%2E%2E%2Fadmin": 400, "/api/..%5cadmin": 400,
		"/api/./x": 400, "/api/x/..": 400, "/api/..x/x../...": 418, "/api/a.b": 418,
	} {
		res := ask(path)
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %d instead of %d", path, res.StatusCode, status)
		}
	}

	res = ask("/realtime/v1/streams/run_x/stream")
	stream := bufio.NewReader(res.Body)
	if line, err := stream.ReadString('\n'); line != "data: 1\n" {
		t.Errorf("the first piece is %q, %v", line, err)
	}
	close(goOn)
	if rest, err := io.ReadAll(stream); string(rest) != "\ndata: 2\n\n" {
		t.Errorf("the rest is %q, %v", rest, err)
	}
	res.Body.Close()

	behind.Close()
	res = ask("/api/v1/x")
	text, _ = io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusBadGateway || string(text) != `{"error":"The platform cannot be reached"}` || res.Header.Get("X-Should-Retry") != "true" {
		t.Errorf("with nobody there: %d %s", res.StatusCode, text)
	}
}

func TestOrigins(t *testing.T) {
	for _, bad := range []string{"", "api.trigger.dev", "ftp://x", "https://", "https://user:secret@x", "https://x?y=1", "https://x#y", "http://%zz"} {
		if _, err := platform.Elsewhere(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What the API passes on has longer for its body than what it reads itself: the time
// for that is over here before the API is asked.
func TestPassedOnBodiesHaveLonger(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s, %v", body, err)
	}))
	defer behind.Close()
	elsewhere, err := platform.Elsewhere(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *platform.Config) { c.Elsewhere = elsewhere })
	over := make(chan struct{}, 1)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(rw).SetReadDeadline(time.Now().Add(-time.Second))
		over <- struct{}{}
		w.api.ServeHTTP(rw, r)
	}))
	defer front.Close()
	w.url = front.URL
	for _, path := range []string{"/api/v1/schedules", "/api/v3/runs/run_x"} { // of no route, and of one by another method
		body, end := io.Pipe()
		go func() {
			<-over
			_, _ = io.WriteString(end, "{}")
			_ = end.Close()
		}()
		got := w.call(http.MethodPost, path, body)
		_ = body.Close()
		if got.status != http.StatusOK || got.body != "{}, <nil>" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
