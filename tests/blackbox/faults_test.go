package blackbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// spy stands between gateway and upstream. It counts the calls, and those that
// are held, and answers itself when told to.
type spy struct {
	next       http.RoundTripper
	asked      atomic.Int64
	held, most atomic.Int64
	instead    atomic.Pointer[func(*http.Request) (*http.Response, error)]
}

func (s *spy) around(next http.RoundTripper) http.RoundTripper {
	s.next = next
	return s
}

func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	if answer := s.instead.Load(); answer != nil && r.URL.Path == "/v1/shape" {
		return (*answer)(r)
	}
	if strings.Contains(r.URL.RawQuery, "live=true") {
		s.most.Store(max(s.most.Load(), s.held.Add(1)))
		defer s.held.Add(-1)
	}
	return s.next.RoundTrip(r)
}

const internals = "could not connect to db-7.internal:5432 for user electric"

// answering makes an answer of a failing upstream, with what nobody may see.
func answering(status int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{"X-Internal": {internals}, "Electric-Handle": {"17-23"}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(`{"message":"` + internals + `"}`))}, nil
	}
}

// An upstream that fails for longer than a request can be held is a 503 that says
// so and when to come back, whatever it said itself: never a 409, which would make
// every client start over, and never a 4xx, which would end them. Places stay good.
func TestAnUpstreamThatFails(t *testing.T) {
	const short = 300 * time.Millisecond
	up := &spy{}
	w := newWorld(t, settings{around: up.around, hold: short, catchUp: short, linger: -1})
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		status int
	}{
		"down":             {func(*http.Request) (*http.Response, error) { return nil, errors.New(internals) }, 503},
		"500":              {answering(500), 503},
		"502":              {answering(502), 503},
		"503":              {answering(503, "Retry-After", "1"), 503},
		"429":              {answering(429), 503},
		"401":              {answering(401), 503},
		"302":              {answering(302, "Location", "http://x/"), 503},
		"200 of a page":    {answering(200, "Electric-Offset", "0_inf"), 503},
		"200 no offset":    {answering(200), 503},
		"200 bad offset":   {answering(200, "Electric-Offset", "x"), 503},
		"200 at the start": {answering(200, "Electric-Offset", "-1"), 503},
		"200 bad handle":   {answering(200, "Electric-Offset", "0_inf", "Electric-Handle", "a b"), 503},
		"200 huge handle":  {answering(200, "Electric-Offset", "0_inf", "Electric-Handle", strings.Repeat("1", 300)), 503},
		"400":              {answering(400), 500},
		"404":              {answering(404), 500},
	} {
		places := make(map[string]reply)
		for feed, path := range w.ours.feeds() {
			places[feed] = w.recovered(path, "offset=-1")
		}
		up.instead.Store(&c.answer)
		var all sync.WaitGroup
		for feed, path := range w.ours.feeds() {
			for _, query := range []string{"offset=-1", places[feed].place(), places[feed].place("live", "true")} {
				all.Go(func() {
					if wrong := refusal(w, with(path, query), c.status, strings.HasPrefix(name, "200 of") && query != "offset=-1"); wrong != "" {
						t.Errorf("%s, %s ?%.20s: %s", name, feed, query, wrong)
					}
				})
			}
		}
		all.Wait()
		up.instead.Store(nil)
		for feed, path := range w.ours.feeds() {
			if got := w.recovered(path, places[feed].place()); len(got.ids(t)) != 0 {
				t.Errorf("%s, %s: afterwards %d %s", name, feed, got.status, got.body)
			}
		}
	}
}

// refusal says what is wrong with how a request is refused. Another handle at a
// place inside a shape is a rotation, and rightly so.
func refusal(w *world, target string, status int, orRotated bool) string {
	got, err := w.try(w.request(http.MethodGet, target, w.ours.key))
	if err != nil {
		return err.Error()
	}
	if got.status == 409 && orRotated {
		return ""
	}
	body, retry := `{"error":"Service Unavailable"}`, "1"
	if status == 500 {
		body, retry = `{"error":"Internal Server Error"}`, ""
	}
	if got.status != status || got.body != body || got.header.Get("Retry-After") != retry {
		return fmt.Sprintf("%d %s, Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
	}
	for h, values := range got.header {
		if strings.Contains(strings.Join(values, ""), "internal") || h == "Location" || h == "X-Internal" {
			return "the header " + h + " came through"
		}
	}
	return ""
}

// recovered asks as clients do, on and on while the answer is a 503.
func (w *world) recovered(path, query string) reply {
	w.t.Helper()
	late := time.Now().Add(patience)
	for {
		got := w.get(with(path, query), w.ours.key)
		if got.status == http.StatusOK {
			return got
		}
		if got.status != http.StatusServiceUnavailable || time.Now().After(late) {
			w.t.Fatalf("%s ?%.20s: %d %s", path, query, got.status, got.body)
		}
	}
}

// A shape that is gone upstream is a 409 of the feed with a handle of its own.
func TestARotatedShape(t *testing.T) {
	up := &spy{}
	w := newWorld(t, settings{around: up.around})
	for feed, path := range w.ours.feeds() {
		up.instead.Store(nil)
		at := w.fresh(path, w.ours.key)
		gone := answering(409)
		up.instead.Store(&gone)
		for _, query := range []string{at.place(), at.place("live", "true")} {
			got := w.get(with(path, query), w.ours.key)
			handle := got.header.Get("Electric-Handle")
			if got.status != 409 || got.body != mustRefetch || handle == "" || handle == at.header.Get("Electric-Handle") || strings.Contains(handle, "17-23") {
				t.Errorf("%s ?%.20s: %d %s %s", feed, query, got.status, got.body, handle)
			}
			up.instead.Store(nil)
			back := w.get(with(path, "offset=-1&handle="+handle+"&expired_handle="+at.header.Get("Electric-Handle")), w.ours.key)
			if back.status != 200 || back.header.Get("Electric-Handle") == at.header.Get("Electric-Handle") || len(back.ids(t)) == 0 {
				t.Errorf("%s, again: %d %s", feed, back.status, back.body)
			}
			up.instead.Store(&gone)
		}
	}
}

// TRUNCATE of one table rotates one shape: one 409, and the feed is whole again.
func TestTruncate(t *testing.T) {
	w := newWorld(t, settings{})
	const path = "/realtime/v1/runs?tags=a"
	at := w.fresh(path, w.ours.key)
	p := w.poll(with(path, at.place("live", "true")), w.ours.key)
	w.untilTaken(w.ours.env, 1)
	w.exec(`TRUNCATE "TaskRun"`)
	if err := <-p.err; err != nil {
		t.Fatal(err)
	}
	got := <-p.got
	if got.status != 409 || got.body != mustRefetch {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if ids := w.fresh(path, w.ours.key).ids(t); len(ids) != 1 || ids[0] != w.ours.v2.ID {
		t.Errorf("afterwards %v", ids)
	}
}
