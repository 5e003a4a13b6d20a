package blackbox

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mustRefetch = `[{"headers":{"control":"must-refetch"}}]`

// electricHeaders are those that a client looks for; a value that is not empty
// stands as "set".
func electricHeaders(h http.Header) map[string]string {
	got := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(name, "Electric-") {
			if got[name] = "set"; values[0] == "" {
				got[name] = ""
			}
		}
	}
	return got
}

// A client stops for good when a header is missing that it needs: handle and
// offset always, the cursor on live answers, the schema on all others; and it
// asks twice when up-to-date is not said.
func TestElectricHeaders(t *testing.T) {
	w := newWorld(t, settings{hold: 50 * time.Millisecond})
	for feed, path := range w.ours.feeds() {
		first := w.asSDK(with(path, "offset=-1"), w.ours.key)
		want := map[string]string{"Electric-Handle": "set", "Electric-Offset": "set", "Electric-Schema": "set", "Electric-Up-To-Date": ""}
		if diff := cmp.Diff(want, electricHeaders(first.header)); first.status != 200 || diff != "" {
			t.Errorf("%s, first: %d (-want +got):\n%s", feed, first.status, diff)
		}
		on := w.asSDK(with(path, first.place()), w.ours.key) // as a browser tab that comes back
		if diff := cmp.Diff(want, electricHeaders(on.header)); diff != "" || len(on.ids(t)) > 0 {
			t.Errorf("%s, again: %v (-want +got):\n%s", feed, on.ids(t), diff)
		}
		live := w.asSDK(with(path, on.place("live", "true")), w.ours.key)
		want = map[string]string{"Electric-Handle": "set", "Electric-Offset": "set", "Electric-Cursor": "set", "Electric-Up-To-Date": ""}
		if diff := cmp.Diff(want, electricHeaders(live.header)); diff != "" {
			t.Errorf("%s, live (-want +got):\n%s", feed, diff)
		}
		cursor := live.header.Get("Electric-Cursor")
		again := w.asSDK(with(path, live.place("live", "true", "cursor", cursor)), w.ours.key)
		before, _ := strconv.ParseUint(cursor, 10, 64)
		if after, err := strconv.ParseUint(again.header.Get("Electric-Cursor"), 10, 64); err != nil || after <= before {
			t.Errorf("%s: the cursor goes from %s to %s", feed, cursor, again.header.Get("Electric-Cursor"))
		}
		refetch := w.asSDK(with(path, "offset=1_0&handle=x"), w.ours.key)
		if diff := cmp.Diff(map[string]string{"Electric-Handle": "set"}, electricHeaders(refetch.header)); refetch.status != 409 || refetch.body != mustRefetch || diff != "" {
			t.Errorf("%s: %d %s (-want +got):\n%s", feed, refetch.status, refetch.body, diff)
		}
		for name, r := range map[string]reply{"first": first, "again": on, "live": live, "409": refetch} {
			if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json; charset=utf-8" || r.header.Get("Content-Length") != strconv.Itoa(len(r.body)) {
				t.Errorf("%s, %s: %v", feed, name, r.header)
			}
			if name != "409" {
				if m := r.messages(t); m[len(m)-1].Headers.Control != "up-to-date" || strings.Count(r.body, "up-to-date") != 1 {
					t.Errorf("%s, %s: ends with %+v", feed, name, m[len(m)-1])
				}
			}
		}
	}
}

// A body that is streamed has no length, is not up to date, and is gone on from
// until it is: every row comes once.
func TestAFeedThatIsStreamed(t *testing.T) {
	w := newWorld(t, settings{pageBytes: 1, chunkBytes: 4 << 10})
	want := map[string]bool{}
	for range 20 {
		for _, table := range tables {
			want[w.ours.create(table, newRun("many")).ID] = true
		}
	}
	seen := map[string]int{}
	query, answers := "offset=-1", 0
	for ; ; answers++ {
		got := w.get(with("/realtime/v1/runs?tags=many", query), w.ours.key)
		if got.status != 200 || answers > 50 {
			t.Fatalf("answer %d: %d %s", answers, got.status, got.body)
		}
		for _, id := range got.ids(t) {
			seen[id]++
		}
		_, up := got.header["Electric-Up-To-Date"]
		if up != strings.Contains(got.body, "up-to-date") {
			t.Fatalf("the header says %v of %s", up, got.body)
		}
		if next := got.place(); !up && next == query {
			t.Fatal("an answer that is not up to date does not move the client")
		} else {
			query = next
		}
		if up {
			break
		}
		if got.header.Get("Content-Length") != "" {
			t.Errorf("a streamed body has a length: %v", got.header)
		}
	}
	for id, n := range seen {
		if n != 1 || !want[id] {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if len(seen) != len(want) || answers < 3 {
		t.Errorf("%d of %d rows in %d answers", len(seen), len(want), answers)
	}
}

// Scripts of other origins can read every answer, errors included; a preflight
// is answered without a credential.
func TestCORSOfEveryAnswer(t *testing.T) {
	w := newWorld(t, settings{})
	const origin = "https://app.example"
	paths := map[string]int{
		"/realtime/v1/runs?offset=-1": 200, "/realtime/v1/runs?offset=1_0&handle=x": 409, "/realtime/v1/runs": 400,
		w.ours.run(w.theirs.v2) + "?offset=-1": 404, "/realtime/v1/runs/x?offset=-1": 400, "/realtime/v1/streams/x/y": 501, "/realtime/v1/nothing": 404,
	}
	for path, status := range paths {
		for _, credential := range []string{w.ours.key, ""} {
			r := w.request("GET", path, credential)
			r.Header.Set("Origin", origin)
			got := w.do(r)
			if credential == "" && status != 501 && path != "/realtime/v1/nothing" {
				status = 401
			}
			exposed := "," + got.header.Get("Access-Control-Expose-Headers") + ","
			for _, name := range []string{"electric-handle", "electric-offset", "electric-schema", "electric-cursor", "electric-up-to-date", "x-trigger-jwt"} {
				if !strings.Contains(exposed, ","+name+",") {
					t.Errorf("%s: %s is not exposed", path, name)
				}
			}
			if got.status != status || got.header.Get("Access-Control-Allow-Origin") != origin || got.header.Get("Vary") != "Origin" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v, want %d", path, got.status, got.header, status)
			}
		}
		r := w.request("OPTIONS", path, "")
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "GET")
		asked := "authorization,trigger-version,x-trigger-api-version,x-trigger-branch,x-trigger-electric-version"
		r.Header.Set("Access-Control-Request-Headers", asked)
		got := w.do(r)
		if got.status != 200 || got.body != "{}" || got.header.Get("Access-Control-Allow-Headers") != asked ||
			got.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), "GET") ||
			cmp.Diff([]string{"Origin", "Access-Control-Request-Headers"}, got.header.Values("Vary")) != "" {
			t.Errorf("preflight of %s: %d %s %v", path, got.status, got.body, got.header)
		}
	}
	if got := w.get("/realtime/v1/runs?offset=-1", w.ours.key); got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Vary") != "Origin" {
		t.Errorf("without an origin: %v", got.header)
	}
}

// Browsers open six connections over HTTP/1.1: over HTTP/2 without TLS many polls
// share one.
func TestManyPollsOverOneConnection(t *testing.T) {
	w := newWorld(t, settings{})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	w.client = &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	first := w.fresh("/realtime/v1/runs?tags=a", w.ours.key)
	const polls = 50
	got := make(chan reply, polls)
	failed := make(chan error, polls)
	for range polls {
		go func() {
			r, err := w.try(w.request("GET", with("/realtime/v1/runs?tags=a", first.place("live", "true")), w.ours.key))
			failed <- err
			got <- r
		}()
	}
	w.untilTaken(w.ours.env, polls)
	run := w.ours.create(tables[1], newRun("a"))
	for range polls {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		if ids := (<-got).ids(t); len(ids) != 1 || ids[0] != run.ID {
			t.Errorf("a poll got %v", ids)
		}
	}
}

// Probes need no credential and say nothing of anybody.
func TestProbes(t *testing.T) {
	w := newWorld(t, settings{})
	for path, body := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`} {
		if got := w.get(path, ""); got.status != 200 || got.body != body || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", path, got.status, got.body, got.header)
		}
	}
}

// A body that breaks off must not look whole: its connection is cut. Without patience,
// which would take two minutes to give up.
func TestABrokenBodyCutsTheConnection(t *testing.T) {
	w := newWorld(t, settings{pageBytes: 1, shareBytes: -1, impatient: true, around: func(next http.RoundTripper) http.RoundTripper { return truncating{next} }})
	if got, err := w.try(w.request("GET", "/realtime/v1/runs?offset=-1", w.ours.key)); err == nil {
		t.Errorf("%d %s, and no error", got.status, got.body)
	}
	if !strings.Contains(w.log.String(), "an answer broke off") {
		t.Errorf("logged %s", w.log.String())
	}
}

// truncating ends the body of every shape short of its length.
type truncating struct{ next http.RoundTripper }

func (c truncating) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err == nil && r.URL.Path == "/v1/shape" {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, 900), res.Body}
	}
	return res, err
}
