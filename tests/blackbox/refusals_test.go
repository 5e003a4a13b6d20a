package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

const notFoundBody = `{"error":"Not found"}`

// A run or a batch that is not there, or is somebody else's, is a 404 in one
// text, so that nobody learns which of the two; with the word whether it may
// come.
func TestNotFound(t *testing.T) {
	w := newWorld(t, settings{})
	n, other := w.ours, w.theirs
	for name, c := range map[string]struct{ path, retry string }{
		"no such legacy run":    {"/realtime/v1/runs/run_cmzzzzzzzzzzzzzzzzzzzzzzz", "false"},
		"no such v2 run":        {"/realtime/v1/runs/run_2ZzZzZzZzZzZzZzZzZzZzZzZzZz", "false"},
		"their legacy run":      {other.run(other.legacy), "false"},
		"their v2 run":          {other.run(other.v2), "false"},
		"no such batch":         {"/realtime/v1/batches/batch_cmzzzzzzzzzzzzzzzzzzzzzzz", "true"},
		"their batch":           {"/realtime/v1/batches/" + other.batch.FriendlyID, "true"},
		"a run by another's id": {"/realtime/v1/runs/run_" + n.batch.ID, "false"},
	} {
		for _, credential := range []string{n.key, n.token("read:all"), n.token()} { // before the 403
			got := w.get(c.path+"?offset=-1", credential)
			if got.status != http.StatusNotFound || got.body != notFoundBody || got.header.Get("X-Should-Retry") != c.retry {
				t.Errorf("%s: %d %s, x-should-retry %q", name, got.status, got.body, got.header.Get("X-Should-Retry"))
			}
		}
	}
	for _, run := range []string{other.run(other.legacy), other.run(other.v2)} {
		if got := w.get(run+"?offset=-1", other.key); got.status != 200 || !strings.Contains(got.body, other.canary) {
			t.Errorf("their own run: %d", got.status)
		}
	}
}

// A run is found in either table, by its id alone, and only its own row comes.
func TestARunOfEitherTable(t *testing.T) {
	w := newWorld(t, settings{})
	n := w.ours
	for run, id := range map[string]string{n.run(n.legacy): n.legacy.ID, n.run(n.v2): n.v2.ID, n.run(n.bareLegacy): n.bareLegacy.ID} {
		if ids := w.fresh(run, n.key).ids(t); len(ids) != 1 || ids[0] != id {
			t.Errorf("%s has the rows %v", run, ids)
		}
	}
	for path, want := range map[string]int{"/realtime/v1/runs?tags=a,b": 2, "/realtime/v1/runs": 4, "/realtime/v1/batches/" + n.batch.FriendlyID: 2} {
		got := w.fresh(path, n.key)
		if ids := got.ids(t); len(ids) != want || !strings.Contains(got.body, `"TaskRun\"/`) || !strings.Contains(got.body, `"task_run_v2\"/`) {
			t.Errorf("%s has the rows %v in %s", path, ids, got.body)
		}
	}
}

// An id that no run or batch can have is a 400 that names it.
func TestMalformedIDs(t *testing.T) {
	w := newWorld(t, settings{})
	for _, id := range []string{
		"x", "run_", "run", "RUN_abc", "run_a_b", "run_a%20b", "run_%00", "run_'", "run_a%27--", "batch_abc", "run_" + strings.Repeat("a", 65),
		"run_%e2%82%ac", "run_%ff", "run_..", "%20run_a", "run_a%0a", "run_*", "run_$1",
	} {
		const body = `{"error":"Params Error","details":[{"code":"custom","path":["runId"],"message":"is not a run's id: run_ and letters and digits"}]}`
		if got := w.get("/realtime/v1/runs/"+id+"?offset=-1", w.ours.key); got.status != 400 || got.body != body {
			t.Errorf("run %q: %d %s", id, got.status, got.body)
		}
		if strings.HasPrefix(id, "batch_") {
			continue
		}
		if got := w.get("/realtime/v1/batches/"+id+"?offset=-1", w.ours.key); got.status != 400 || !strings.Contains(got.body, `{"error":"Params Error","details":[{"code":"custom","path":["batchId"]`) {
			t.Errorf("batch %q: %d %s", id, got.status, got.body)
		}
	}
}

// Who is wrong in several ways hears of the first: 401, path 400, query 400, 404,
// 403. Each is mended in turn.
func TestTheOrderOfRefusals(t *testing.T) {
	w := newWorld(t, settings{})
	n := w.ours
	for _, c := range []struct{ malformed, unknown, known string }{
		{"/realtime/v1/runs/nonsense", n.run(w.theirs.v2), n.run(n.v2)},
		{"/realtime/v1/runs/nonsense", n.run(w.theirs.legacy), n.run(n.legacy)},
		{"/realtime/v1/batches/nonsense", "/realtime/v1/batches/" + w.theirs.batch.FriendlyID, "/realtime/v1/batches/" + n.batch.FriendlyID},
		{"", "", "/realtime/v1/runs?tags=a"},
	} {
		const twice, once = "offset=-1&offset=-1", "offset=-1"
		for _, step := range []struct {
			path, query, credential string
			status                  int
			says                    string
		}{
			{c.malformed, twice, "nobody", 401, invalidKey},
			{c.malformed, twice, n.token(), 400, "Params Error"},
			{c.unknown, twice, "nobody", 401, invalidKey},
			{c.unknown, twice, n.token(), 400, "Query Error"},
			{c.unknown, once, n.token(), 404, notFoundBody},
			{c.known, twice, "nobody", 401, invalidKey},
			{c.known, twice, n.token(), 400, "Query Error"},
			{c.known, once, n.token(), 403, forbidden},
			{c.known, once, n.token("read:runs"), 200, "up-to-date"},
			{c.known, "", n.token(), 403, forbidden}, // what only the feed refuses comes last
			{c.known, "offset=-1&live=true", n.token(), 403, forbidden},
		} {
			if step.path == "" {
				continue
			}
			got := w.get(with(step.path, step.query), step.credential)
			if got.status != step.status || !strings.Contains(got.body, step.says) {
				t.Errorf("%s %s: %d %.200s, want %d %s", step.path, step.query, got.status, got.body, step.status, step.says)
			}
		}
	}
}

// What no feed serves is refused by name, on every feed; unknown parameters pass.
// What could be read in two ways is in hardening_queries_test.go.
func TestQueriesThatAreRefused(t *testing.T) {
	w := newWorld(t, settings{})
	for feed, path := range w.ours.feeds() {
		for query, says := range map[string]string{
			"":                                  `"path":["offset"],"message":"is missing: start at -1"`,
			"offset=":                           `"path":["offset"]`,
			"offset=now":                        `"path":["offset"],"message":"now is not supported`,
			"offset=-1&log=changes_only":        `changes_only is not supported`,
			"offset=-1&subset__limit=1":         `subset__ parameters are not supported`,
			"offset=-1&live=true":               `"path":["live"],"message":"cannot be true when offset is -1"`,
			"offset=-1&live=true&live_sse=true": `"path":["live"]`,
			"offset=-1&live_sse=true":           `"path":["live_sse"]`,
			"offset=-1&handle=a&shape_id=b":     `"path":["shape_id"]`,
		} {
			got := w.get(with(path, query), w.ours.key)
			if got.status != 400 || !strings.HasPrefix(got.body, `{"error":"Query Error","details":[`) || !strings.Contains(got.body, says) {
				t.Errorf("%s ?%.80s: %d %.200s, want %s", feed, query, got.status, got.body, says)
			}
		}
		for _, query := range []string{"offset=-1&where=1%3D1&table=x&columns=id&params[1]=env_theirs&replica=full&where=2&secret=x", "offset=-1&x=" + strings.Repeat("x", 9000)} {
			if got := w.get(with(path, query), w.ours.key); got.status != 200 || strings.Contains(got.body, w.theirs.canary) {
				t.Errorf("%s ?%.80s: %d %.200s", feed, query, got.status, got.body)
			}
		}
	}
	// what is no duration is not said
	for _, within := range []string{"yesterday", "-1h", "1", "99999999999999999999w", "0s", strings.Repeat("1h", 60)} {
		if got := w.get("/realtime/v1/runs?offset=-1&createdAt="+within, w.ours.key); got.status != 200 {
			t.Errorf("createdAt=%s: %d %.200s", within, got.status, got.body)
		}
	}
}
