package blackbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
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
	places      [][3]string // path, handle and offset that belong together
}

func newAnything(w *world) *anything {
	a := &anything{w: w, handles: []string{"", "x"}, offsets: []string{"-1", "-1", "-1", "now", "", "0_0", "1_0"}}
	nobody := credential{text: "tr_prod_nobody"}
	a.credentials = []credential{nobody, {}}
	for _, n := range []tenant{w.ours, w.theirs} {
		for _, scopes := range [][]string{{"admin"}, {"read:runs"}, {"read:tags:a"}, {"read:batch:" + n.batch.FriendlyID}, {"read:runs:" + n.v2.FriendlyID}, {"write:all"}} {
			a.credentials = append(a.credentials, credential{n.token(scopes...), n.canary})
		}
		a.credentials = append(a.credentials, credential{n.token("admin") + "x", ""})
		for range 10 {
			a.credentials = append(a.credentials, credential{n.key, n.canary})
		}
		for _, path := range n.feeds() {
			a.paths = append(a.paths, path)
		}
		a.paths = append(a.paths, "/realtime/v1/runs/run_"+n.v2.ID, "/realtime/v1/runs/run_"+n.batch.ID, "/realtime/v1/batches/batch_"+n.legacy.ID, "/realtime/v1/runs?tags=a,b")
	}
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
	if rapid.Bool().Draw(t, "goes on") {
		p := rapid.SampledFrom(a.places).Draw(t, "place")
		path = p[0]
		add("handle", p[1])
		add("offset", text(t, "offset", p[2]))
	} else {
		path = rapid.SampledFrom(a.paths).Draw(t, "path")
		add("offset", text(t, "offset", a.offsets...))
	}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{
		"handle", "live", "live", "cursor", "cursor", "log", "expired_handle", "expired_handle", "cache-buster", "shape_id", "createdAt", "skipColumns", "tags", "offset",
		"where", "table", "columns", "params[1]", "replica", "secret", "subset__where", "live_sse", "x",
	}), 0, 4).Draw(t, "parameters") {
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

// Whatever is asked by whomever: a documented status, never a fault of the
// server, and never a row of another environment. Both tenants have the same
// tags; every row holds its tenant's canary.
func TestNobodySeesAnothersRows(t *testing.T) {
	w := quick(t)
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
	statuses, rows := map[int]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			r, who := a.request(t)
			got, err := w.again(r)
			if err != nil {
				t.Fatal(err)
			}
			statuses[got.status]++
			if err := a.judge(got, who); err != nil {
				t.Fatalf("GET %s: %v", r.URL.RequestURI(), err)
			}
			rows += strings.Count(got.body, `"operation"`)
		}
	})
	t.Log(statuses, rows, "rows")
	for _, status := range []int{200, 400, 401, 403, 404, 409} {
		if statuses[status] == 0 {
			t.Errorf("no request was answered with a %d", status)
		}
	}
}

// judge says what is wrong with an answer to somebody.
func (a *anything) judge(got reply, who credential) error {
	for _, n := range []tenant{a.w.ours, a.w.theirs} {
		if n.canary != who.of && strings.Contains(got.body, n.canary) {
			return fmt.Errorf("%d shows the rows of %s to somebody else: %.300s", got.status, n.env, got.body)
		}
	}
	switch got.status {
	case 200, 400, 401, 403, 404, 409, 414:
	default:
		return fmt.Errorf("%d %.300s", got.status, got.body)
	}
	if !json.Valid([]byte(got.body)) {
		return fmt.Errorf("%d with %.300q, which is not JSON", got.status, got.body)
	}
	if (got.status == 200 || got.status == 409) != (got.header.Get("Electric-Handle") != "") {
		return fmt.Errorf("%d with the handle %q", got.status, got.header.Get("Electric-Handle"))
	}
	if who.of == "" && got.status != 401 && got.status != 404 {
		return fmt.Errorf("%d to nobody", got.status)
	}
	return nil
}
