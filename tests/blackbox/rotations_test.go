package blackbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// rotation is a recorded answer that says that a shape is gone.
type rotation struct {
	name   string
	v2     bool // the table that was asked for
	live   bool
	status int
	header http.Header
	body   string
}

// form is what there is to a rotation but for names and clocks.
func (r rotation) form() string {
	h := r.header.Clone()
	for _, name := range []string{"Date", "X-Request-Id", "Etag", "Electric-Handle"} {
		if h.Get(name) != "" {
			h.Set(name, "some")
		}
	}
	return fmt.Sprint(r.status, r.v2, r.live, h, r.body)
}

// rotations are those that were recorded, of both versions: each 409 to a reader, and
// each offset that is out of bounds. Those of one form are one.
func rotations(t *testing.T) (all []rotation) {
	t.Helper()
	forms, recordings := make(map[string]int), 0
	defer func() {
		if t.Logf("%d forms of %d recordings", len(all), recordings); recordings < 60 {
			t.Errorf("%d recordings of a rotation", recordings)
		}
	}()
	const root = "../transcripts/"
	for _, pattern := range []string{"*.json", "1.2.4/*.json"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var recorded struct {
				Steps []struct {
					ID       string
					Request  struct{ Target string }
					Response struct {
						Status  int
						Headers [][2]string
						Body    string
					}
				}
			}
			if err := json.Unmarshal(data, &recorded); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, x := range recorded.Steps {
				if x.Response.Status != 409 && (x.Response.Status != 400 || !strings.Contains(x.Response.Body, "out of bounds")) {
					continue
				}
				r := rotation{
					name: strings.TrimPrefix(file, root) + " " + x.ID, status: x.Response.Status, body: x.Response.Body, header: make(http.Header),
					v2: strings.Contains(x.Request.Target, "task_run_v2"), live: strings.Contains(x.Request.Target, "live=true"),
				}
				for _, h := range x.Response.Headers {
					if h[0] != "transfer-encoding" && h[0] != "content-length" { // the server's own
						r.header.Add(h[0], h[1])
					}
				}
				recordings++
				if forms[r.form()]++; forms[r.form()] == 1 {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// Every rotation that was recorded, as Electric said it, to held polls and to clients
// that come back: each client is told once to start over, holds what the tables hold
// then, and asks three times at most until it waits again: for the beginning, for the
// rest if there was more, and for what is next. The shapes are really gone each time;
// what the server behind says of it is replaced by the recording.
func TestEveryRecordedRotation(t *testing.T) {
	var front *upstream.Front
	w := newWorld(t, settings{linger: -1, around: func(next http.RoundTripper) http.RoundTripper {
		front = upstream.New(t, next, "http://upstream.internal")
		return front.Transport()
	}})
	const byTag = "/realtime/v1/runs?tags=a"
	followers := []*follower{w.follow(byTag), w.follow(byTag), w.follow("/realtime/v1/batches/" + w.ours.batch.FriendlyID)}
	rows := map[bool]string{false: w.ours.legacy.ID, true: w.ours.v2.ID}
	settled := func() {
		t.Helper()
		ids := []string{rows[false], rows[true]}
		slices.Sort(ids)
		w.until(fmt.Sprintf("the rows %v", ids), func() bool {
			for _, f := range followers {
				if !f.holds(ids) {
					return false
				}
			}
			return w.slots.Taken(w.ours.env) == len(followers)
		})
	}
	settled()
	for _, r := range rotations(t) {
		if !r.live {
			for _, f := range followers {
				f.leave()
			}
			w.untilTaken(w.ours.env, 0)
		}
		var replaced atomic.Int32
		front.Edit(func(a *upstream.Answer) {
			if a.Status == 409 {
				a.Status, a.Header, a.Body = r.status, r.header.Clone(), []byte(r.body)
				replaced.Add(1)
			}
		})
		for _, f := range followers {
			f.mu.Lock()
			f.refetch, f.faults = 0, 0
			f.mu.Unlock()
		}
		rows[r.v2] = w.ours.replace(r.v2)
		if !r.live {
			for _, f := range followers {
				f.resume()
			}
		}
		settled()
		for _, f := range followers {
			f.mu.Lock()
			if f.refetch != 1 || f.since > 3 || f.faults+f.twice+f.unknown > 0 {
				t.Errorf("%s, %s: told %d times to start over, asked %d times then, %d faults, %d rows twice, %d changes of unknown rows",
					r.name, f.path, f.refetch, f.since, f.faults, f.twice, f.unknown)
			}
			f.mu.Unlock()
		}
		front.Edit(nil)
		if replaced.Load() == 0 {
			t.Errorf("%s was not replayed", r.name)
		}
	}
}

// replace empties a table, and gives it one run with the tag a, in the batch, at the
// same moment.
func (n tenant) replace(v2 bool) string {
	table, home := `"TaskRun"`, runid.Legacy
	if v2 {
		table, home = "task_run_v2", runid.V2
	}
	var id string
	if err := pgx.BeginFunc(n.w.t.Context(), n.w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(n.w.t.Context(), "TRUNCATE "+table); err != nil {
			return err
		}
		in := *n.w
		in.store = n.w.store.In(tx)
		n.w = &in
		id = n.create(home, runstore.NewRun{Tags: []string{"a"}, BatchID: &n.batch.ID}).ID
		return nil
	}); err != nil {
		n.w.t.Fatal(err)
	}
	return id
}
