package blackbox

import (
	"net/http"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// asSDK asks as the platform's SDK of today.
func (w *world) asSDK(target, credential string) reply {
	w.t.Helper()
	r := w.request(http.MethodGet, target, credential)
	r.Header.Set("x-trigger-electric-version", "1.0.0-beta.1")
	r.Header.Set("x-trigger-api-version", "2025-07-16")
	return w.do(r)
}

// formerNames are those that headers had for client 0.6.3.
var formerNames = map[string]string{
	"Electric-Handle": "Electric-Shape-Id", "Electric-Offset": "Electric-Chunk-Last-Offset",
	"Electric-Cursor": "Electric-Next-Cursor", "Electric-Up-To-Date": "Electric-Chunk-Up-To-Date",
}

// A client that does not say its version may be Electric's own, which needs the
// names of today, or the one in SDK 3.1, which needs the former ones: it gets
// both, on every answer, and its shape_id is a handle.
func TestFormerNames(t *testing.T) {
	w := quick(t)
	both := func(what string, r reply) {
		t.Helper()
		for name, former := range formerNames {
			if now, then := r.header.Values(name), r.header.Values(former); strings.Join(now, "|") != strings.Join(then, "|") || len(now) != len(then) {
				t.Errorf("%s: %s is %q and %s is %q", what, name, now, former, then)
			}
		}
	}
	for feed, path := range w.ours.feeds() {
		first := w.get(with(path, "offset=-1"), w.ours.key)
		both(feed, first)
		at := strings.Replace(first.place(), "handle=", "shape_id=", 1)
		on := w.get(with(path, at), w.ours.key)
		if on.status != 200 || len(on.ids(t)) > 0 {
			t.Errorf("%s goes on with %d %s", feed, on.status, on.body)
		}
		both(feed+", again", on)
		live := w.get(with(path, at+"&live=true"), w.ours.key)
		if live.status != 200 || live.header.Get("Electric-Next-Cursor") == "" {
			t.Errorf("%s, live: %d %v", feed, live.status, live.header)
		}
		both(feed+", live", live)
		refetch := w.get(with(path, "offset=1_0&shape_id=x"), w.ours.key)
		if refetch.status != 409 || refetch.header.Get("Electric-Shape-Id") == "" {
			t.Errorf("%s: %d %v", feed, refetch.status, refetch.header)
		}
		both(feed+", 409", refetch)
	}
}

// Before API version 2025-07-16 there was no status DEQUEUED: such a client would
// show a run that is about to start as one that it knows nothing of. Nothing but
// the status changes, whatever the texts of the row say, and whatever way the
// rows take.
func TestFormerStatus(t *testing.T) {
	for name, s := range map[string]settings{"whole": {}, "streamed": {pageBytes: 1}} {
		w := newWorld(t, s)
		text := `{"status":"DEQUEUED","headers":{"status":"DEQUEUED"}}`
		run := w.ours.create(runid.V2, runstore.NewRun{Tags: []string{"DEQUEUED", "x"}, Metadata: &text})
		set := func(status string) {
			w.exec(`UPDATE task_run_v2 SET status = $2::"TaskRunStatus", "updatedAt" = now() WHERE id = $1`, run.ID, status)
		}
		set("DEQUEUED")
		at := w.fresh("/realtime/v1/runs?tags=DEQUEUED", w.ours.key) // as EXECUTING, to one who says no version
		set("EXECUTING")
		set("DEQUEUED")
		for next := at; !strings.Contains(next.body, `"status":"DEQUEUED"`); { // until the upstream has both
			next = w.asSDK("/realtime/v1/runs?tags=DEQUEUED&"+next.place("live", "true"), w.ours.key)
			if next.status != http.StatusOK {
				t.Fatalf("%d %s", next.status, next.body)
			}
		}
		for version, want := range map[string]string{
			"": "EXECUTING", "none": "EXECUTING", "2025-07-15": "EXECUTING", "2025-7-16x": "EXECUTING", "9": "EXECUTING",
			"2025-07-16": "DEQUEUED", "2026-01-01": "DEQUEUED",
		} {
			for _, query := range []string{"offset=-1", at.place(), at.place("live", "true")} {
				r := w.request(http.MethodGet, "/realtime/v1/runs?tags=DEQUEUED&"+query, w.ours.key)
				if version != "" {
					r.Header.Set("x-trigger-api-version", version)
				}
				got := w.do(r)
				rows := 0
				for _, m := range got.messages(t) {
					if status := m.Value["status"]; status != nil {
						rows++
						if m.Headers.Operation == "insert" && (*status != want || *m.Value["metadata"] != text || *m.Value["runTags"] != "{DEQUEUED,x}") {
							t.Errorf("%s, version %q ?%.20s: %s", name, version, query, got.body)
						}
						if *status != "EXECUTING" && *status != want {
							t.Errorf("%s, version %q ?%.20s: status %s, want %s", name, version, query, *status, want)
						}
					}
				}
				if rows == 0 || want == "DEQUEUED" && !strings.Contains(got.body, `"status":"DEQUEUED"`) {
					t.Errorf("%s, version %q ?%.20s: %d %s", name, version, query, got.status, got.body)
				}
			}
		}
	}
}
