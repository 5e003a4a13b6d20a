package blackbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// credential is one of a tenant, or of nobody.
type credential struct {
	text string
	of   string // the canary that its holder may see; "" for none
}

// anything draws requests: of both tenants and of nobody, with places of either,
// edited or not.
type anything struct {
	w           *world
	credentials []credential
	paths       []string
	handles     []string
	offsets     []string
	owners      map[string]string // of rows: their canaries
	places      [][3]string       // path, handle and offset that belong together
}

func newAnything(w *world) *anything {
	a := &anything{w: w, owners: map[string]string{}, handles: []string{"", "x"}, offsets: []string{"-1", "-1", "-1", "now", "", "0_0", "1_0"}}
	var good, tokens []credential
	bad := []credential{{text: "tr_prod_nobody"}, {}}
	for n, other := range map[*tenant]*tenant{&w.ours: &w.theirs, &w.theirs: &w.ours} {
		for _, table := range tables { // a pointer is a plain value, and can be foreign
			n.create(table, runstore.NewRun{Tags: []string{"a", "b"}, BatchID: &other.batch.ID})
		}
		for _, table := range []string{`"TaskRun"`, "task_run_v2"} {
			ids, err := w.pool.Query(w.t.Context(), `SELECT "id" FROM `+table+` WHERE "runtimeEnvironmentId" = $1`, n.env)
			if err != nil {
				w.t.Fatal(err)
			}
			all, err := pgx.CollectRows(ids, pgx.RowTo[string])
			if err != nil {
				w.t.Fatal(err)
			}
			for _, id := range all {
				a.owners[id] = n.canary
			}
		}
		good = append(good, credential{n.key, n.canary})
		for _, scopes := range [][]string{{"admin"}, {"read:runs"}, {"read:tags:a"}, {"read:batch:" + n.batch.FriendlyID}, {"read:runs:" + n.v2.FriendlyID}, {"write:all"}} {
			tokens = append(tokens, credential{n.token(scopes...), n.canary})
		}
		bad = append(bad, credential{n.token("admin") + "x", ""})
		for _, path := range n.feeds() {
			a.paths = append(a.paths, path)
		}
		a.paths = append(a.paths, "/realtime/v1/runs/run_"+n.v2.ID, "/realtime/v1/runs/run_"+n.batch.ID, "/realtime/v1/batches/batch_"+n.legacy.ID, "/realtime/v1/runs?tags=a,b")
	}
	a.credentials = slices.Concat(slices.Repeat(good, 15), tokens, bad) // half are of who may see everything of their own
	a.paths = append(a.paths, "/realtime/v1/runs/x", "/realtime/v1/nothing", "/realtime/v1/runs/run_"+strings.Repeat("z", 27))
	return a
}

// text draws a parameter's value: one that was seen, one that was seen and
// edited, or anything.
func text(t *rapid.T, label string, seen ...string) string {
	if len(seen) == 0 || rapid.IntRange(0, 19).Draw(t, label+" is odd") == 0 {
		return rapid.String().Draw(t, label)
	}
	s := rapid.SampledFrom(seen).Draw(t, label)
	if s == "" || rapid.IntRange(0, 9).Draw(t, label+" is edited") > 0 {
		return s
	}
	b := []byte(s)
	i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		b[i] = rapid.SampledFrom([]byte("0123456789_-Aa.")).Draw(t, "to")
	case 1:
		b = b[:i]
	default:
		b = append(b, b[i:]...)
	}
	return string(b)
}

func (a *anything) request(t *rapid.T) (*http.Request, credential) {
	who := rapid.SampledFrom(a.credentials).Draw(t, "credential")
	var path string
	var query []string
	add := func(name, value string) { query = append(query, name+"="+url.QueryEscape(value)) }
	switch rapid.IntRange(0, 5).Draw(t, "how it goes on") {
	case 0, 1, 2: // where it was
		p := rapid.SampledFrom(a.places).Draw(t, "place")
		path = p[0]
		add("handle", p[1])
		add("offset", text(t, "offset", p[2]))
	case 3: // with halves of two places, in a third's feed or in one of theirs
		p, q := rapid.SampledFrom(a.places).Draw(t, "place of the handle"), rapid.SampledFrom(a.places).Draw(t, "place of the offset")
		path = rapid.SampledFrom([]string{p[0], q[0], rapid.SampledFrom(a.paths).Draw(t, "path")}).Draw(t, "feed")
		add("handle", p[1])
		add("offset", q[2])
	default: // from the beginning, or anywhere
		path = rapid.SampledFrom(a.paths).Draw(t, "path")
		add("offset", text(t, "offset", a.offsets...))
	}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{
		"live", "live", "live", "cursor", "expired_handle", "cache-buster", "log", "skipColumns", "x", "where", "table", "columns", "params[1]", "replica", "secret",
		"createdAt", "tags", "handle", "offset", "shape_id", "subset__where", "live_sse",
	}), 0, 3).Draw(t, "parameters") {
		switch name {
		case "handle", "shape_id", "expired_handle":
			add(name, text(t, name, a.handles...))
		case "live", "live_sse":
			add(name, text(t, name, "true", "true", "false", ""))
		case "log":
			add(name, text(t, name, "full", "full", "changes_only"))
		case "createdAt":
			add(name, text(t, name, "1h", "24h", "0s", "99999w"))
		case "skipColumns":
			add(name, text(t, name, "payload", "id,payload", "runtimeEnvironmentId"))
		case "tags":
			add(name, text(t, name, "a", "b,a", "a' OR ''='", "$1", "}", `a"`))
		case "where":
			add(name, text(t, name, "true", `"runtimeEnvironmentId" = 'env_theirs'`))
		case "params[1]":
			add(name, text(t, name, "env_theirs", "env_ours"))
		case "cursor":
			add(name, text(t, name, "1", "99999999999999999999", "-1"))
		default:
			add(name, text(t, name, "1"))
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.w.url+with(path, strings.Join(query, "&")), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if who.text != "" {
		r.Header.Set("Authorization", "Bearer "+who.text)
	}
	return r, who
}

// Of requests there are cases times perCase.
const (
	perCase = 100
	atLeast = 10_000
)

// Whatever is asked by whomever: a documented status, never a fault of the
// server, and never a row of another environment. Both tenants have the same
// tags, tables and batches; each has a run that points to the other's batch; and
// both write while they are asked. Every row holds its tenant's canary.
func TestNobodySeesAnothersRows(t *testing.T) {
	w := newWorld(t, settings{hold: 100 * time.Millisecond, longPoll: 20 * time.Millisecond, linger: time.Millisecond})
	a := newAnything(w)
	for _, n := range []tenant{w.ours, w.theirs} {
		for _, path := range n.feeds() {
			at := w.inLog(path, n)
			for _, r := range []reply{w.get(with(path, "offset=-1"), n.key), at, w.get(with(path, "offset=2_0"), n.key)} {
				a.handles = append(a.handles, r.header.Get("Electric-Handle"))
				if offset := r.header.Get("Electric-Offset"); offset != "" {
					a.offsets = append(a.offsets, offset)
					a.places = append(a.places, [3]string{path, r.header.Get("Electric-Handle"), offset})
				}
			}
		}
	}
	var requests, withRows, rows, cases int
	statuses := map[int]int{}
	rapid.Check(t, func(t *rapid.T) {
		asked := make([]asked, perCase)
		for i := range asked {
			asked[i].request, asked[i].who = a.request(t)
		}
		if cases++; cases%25 == 1 {
			w.exec(`UPDATE "TaskRun" SET "number" = "number" + 1`)
			w.exec(`UPDATE task_run_v2 SET "number" = "number" + 1`)
		}
		w.all(asked)
		for _, q := range asked {
			requests++
			if q.err != nil {
				t.Fatal(q.err)
			}
			statuses[q.got.status]++
			seen, err := a.judge(q.got, q.who)
			if err != nil {
				t.Fatalf("GET %s: %v", q.request.URL.RequestURI(), err)
			}
			if rows += seen; seen > 0 {
				withRows++
			}
		}
	})
	t.Logf("%d requests: %v; %d answers with %d rows", requests, statuses, withRows, rows)
	if requests < atLeast || withRows < requests/20 {
		t.Errorf("too few requests or too few with rows to say anything: run it with -rapid.checks=%d or more", atLeast/perCase)
	}
	for _, status := range []int{200, 400, 401, 403, 404, 409} {
		if statuses[status] == 0 {
			t.Errorf("no request was answered with a %d", status)
		}
	}
}

// asked is a request and what came of it.
type asked struct {
	request *http.Request
	who     credential
	got     reply
	err     error
}

// all asks at once: most of them wait.
func (w *world) all(requests []asked) {
	var workers sync.WaitGroup
	for i := range requests {
		workers.Go(func() { requests[i].got, requests[i].err = w.again(requests[i].request) })
	}
	workers.Wait()
}

// messagesOf makes an array of the messages of a stream of events.
func messagesOf(stream string) string {
	var all []string
	for line := range strings.Lines(stream) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			all = append(all, data)
		}
	}
	return "[" + strings.Join(all, ",") + "]"
}

// judge counts the rows of an answer to somebody, or says what is wrong with it.
func (a *anything) judge(got reply, who credential) (rows int, err error) {
	for _, n := range []tenant{a.w.ours, a.w.theirs} {
		if n.canary != who.of && (strings.Contains(got.body, n.canary) || strings.Contains(got.body, n.env)) {
			return 0, fmt.Errorf("%d shows the rows of %s to somebody else: %.300s", got.status, n.env, got.body)
		}
	}
	switch got.status {
	case 200, 400, 401, 403, 404, 409, 414:
	default:
		return 0, fmt.Errorf("%d %.300s", got.status, got.body)
	}
	if got.header.Get("Content-Type") == "text/event-stream" {
		got.body = messagesOf(got.body)
	}
	if !json.Valid([]byte(got.body)) {
		return 0, fmt.Errorf("%d with %.300q, which is not JSON", got.status, got.body)
	}
	if (got.status == 200 || got.status == 409) != (got.header.Get("Electric-Handle") != "") {
		return 0, fmt.Errorf("%d with the handle %q", got.status, got.header.Get("Electric-Handle"))
	}
	if who.of == "" && got.status != 401 && got.status != 404 {
		return 0, fmt.Errorf("%d to nobody", got.status)
	}
	for _, m := range decode(got.body) {
		if m.Headers.Operation == "" {
			continue
		}
		rows++
		if owner := a.owners[m.id()]; owner != who.of { // an update holds no canary
			return rows, fmt.Errorf("the row %s of %s to %s", m.id(), owner, who.of)
		}
	}
	return rows, nil
}
