package platform_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/platform"
)

// documented are the routes of docs/platform-api.md, and what it says they answer.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/platform-api.md")
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /api/\\S+)` \\|.*\\| ([0-9, ]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		if routes[row[1]] != nil {
			t.Errorf("%s is there twice", row[1])
		}
		routes[row[1]] = strings.Split(row[2], ", ")
	}
	return routes
}

// docs/platform-api.md has every route that is built, and no other.
func TestRoutesAreDocumented(t *testing.T) {
	built := built(t)
	slices.Sort(built)
	if documented := slices.Sorted(maps.Keys(documented(t))); !slices.Equal(documented, built) {
		t.Errorf("documented are\n%s\nand built are\n%s", strings.Join(documented, "\n"), strings.Join(built, "\n"))
	}
}

// way is how to get an answer from a route: by a body, and a path of its own instead of
// that of things that are there.
type way struct {
	status     int
	path, body string
}

// Every route answers all that docs/platform-api.md says it may. What goes on to the
// platform is told by a status that no route has.
func TestDocumentedAnswers(t *testing.T) {
	w := newWorld(t, func(c *platform.Config) {
		c.Elsewhere = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	weak := "tr_dev_sk_" + strings.Repeat("w", 24) // an additional key, which may do nothing here
	if _, err := w.db.Exec(t.Context(), `
		INSERT INTO api_keys (id, name, key_hash, last_four, runtime_environment_id, scopes, updated_at)
		VALUES ('weak', 'weak', encode(sha256($1::bytea), 'hex'), 'wwww', $2, '{read:deployments}', now())`, []byte(weak), w.demo.EnvironmentID); err != nil {
		t.Fatal(err)
	}
	over := w.trigger("task", nil)
	w.call(http.MethodPost, "/api/v2/runs/"+over+"/cancel", nil).into(t, http.StatusOK, nil)
	tagged := w.trigger("task", nil) // with more tags than a run may have
	w.exec(`UPDATE "TaskRun" SET "runTags" = '{a,b,c,d,e,f,g,h,i,j,k}' WHERE "friendlyId" = '` + tagged + `'`)
	there := strings.NewReplacer(
		"{task}", "task", "{tagged}", tagged, "{run}", w.trigger("task", object{"delay": "1h", "idempotencyKey": "key"}), "{over}", over, "{key}", "key",
		"{batch}", w.batch(object{"runCount": 1}).ID)
	const malformed = "%00"
	large := `{"a":"` + strings.Repeat("x", 300<<10) + `"}`
	larger := strings.Repeat(large, 60)
	ways := map[string][]way{
		"POST /api/v1/tasks/{task}/trigger": {
			{200, "", "{}"}, {400, "", "{"}, {413, "", larger}, {422, "", `{"options":{"parentRunId":"run"}}`}, {501, "", `{"options":{"debounce":{}}}`},
		},
		"POST /api/v3/batches": {
			{200, "", `{"runCount":1}`}, {400, "", "{}"}, {413, "", large}, {422, "", `{"runCount":1,"idempotencyKey":"` + incompressible(2000) + `"}`},
		},
		"POST /api/v3/batches/{batch}/items": {
			{413, "", larger}, {415, "", "{}"}, {422, "", `{"index":0,"task":"a","context":"\ud800"}`}, {501, "", `{"index":0,"task":"a","options":{"debounce":{}}}`},
			{400, "", "{"}, {400, "/api/v3/batches/" + malformed + "/items", ""}, {404, "/api/v3/batches/batch_nobody/items", ""}, {200, "", `{"index":0,"task":"a"}`},
		},
		"POST /api/v2/tasks/batch": {
			{200, "", `{"items":[{"task":"a"}]}`}, {400, "", `{"items":[]}`}, {413, "", larger}, {422, "", `{"items":[{"task":"a","context":"\ud800"}]}`},
			{501, "", `{"items":[{"task":"a","options":{"debounce":{}}}]}`},
		},
		"GET /api/v1/batches/{batch}":         {{200, "", ""}, {400, "/api/v1/batches/run_x", ""}, {404, "/api/v1/batches/batch_nobody", ""}},
		"GET /api/v2/batches/{batch}":         {{200, "", ""}, {400, "/api/v2/batches/run_x", ""}, {404, "/api/v2/batches/batch_nobody", ""}},
		"GET /api/v1/batches/{batch}/results": {{200, "", ""}, {400, "/api/v1/batches/run_x/results", ""}, {404, "/api/v1/batches/batch_nobody/results", ""}},
		"GET /api/v3/runs/{run}":              {{200, "", ""}, {400, "/api/v3/runs/batch_x", ""}, {404, "/api/v3/runs/run_nobody", ""}},
		"GET /api/v1/runs/{run}/result":       {{200, "/api/v1/runs/{over}/result", ""}, {400, "/api/v1/runs/batch_x/result", ""}, {404, "", ""}},
		"GET /api/v1/runs":                    {{200, "", ""}, {400, "/api/v1/runs?page[size]=0", ""}, {501, "/api/v1/runs?filter[error]=a", ""}},
		"POST /api/v2/runs/{run}/cancel":      {{200, "/api/v2/runs/{over}/cancel", ""}, {400, "/api/v2/runs/batch_x/cancel", ""}, {404, "/api/v2/runs/run_nobody/cancel", ""}},
		"POST /api/v1/runs/{run}/reschedule": {
			{200, "", `{"delay":"2h"}`}, {400, "", "{}"}, {404, "/api/v1/runs/run_nobody/reschedule", ""}, {413, "", large}, {422, "/api/v1/runs/{over}/reschedule", `{"delay":"2h"}`},
		},
		"POST /api/v1/runs/{run}/replay": {
			{200, "", ""}, {400, "/api/v1/runs/batch_x/replay", ""}, {404, "/api/v1/runs/run_nobody/replay", ""}, {413, "", larger}, {422, "/api/v1/runs/{tagged}/replay", ""}, {501, "", `{"payload":1}`},
		},
		"GET /api/v1/runs/{run}/metadata": {{200, "", ""}, {400, "/api/v1/runs/batch_x/metadata", ""}, {404, "/api/v1/runs/run_nobody/metadata", ""}},
		"PUT /api/v1/runs/{run}/metadata": {
			{200, "", `{"metadata":{}}`}, {400, "", "{"}, {404, "/api/v1/runs/run_nobody/metadata", ""}, {413, "", `{"metadata":` + large + `}`}, {422, "", `{"operations":[{"type":"set","key":"","value":1}]}`},
		},
		"POST /api/v1/runs/{run}/tags": {
			{200, "", `{"tags":"a"}`}, {400, "", "{}"}, {404, "/api/v1/runs/run_nobody/tags", ""}, {413, "", large}, {422, "", `{"tags":["1","2","3","4","5","6","7","8","9","10"]}`},
		},
		"POST /api/v1/idempotencyKeys/{key}/reset": {
			{200, "", `{"taskIdentifier":"task"}`}, {400, "", "{}"}, {404, "/api/v1/idempotencyKeys/nobody/reset", `{"taskIdentifier":"task"}`}, {413, "", large},
		},
		"POST /api/v1/auth/jwt/claims": {{200, "", ""}},
	}
	for route, says := range documented(t) {
		method, pattern, _ := strings.Cut(route, " ")
		gives := map[string]bool{}
		ask := func(way way, authorization string) {
			path := there.Replace(cmp.Or(way.path, pattern))
			headers := []string{"Authorization", authorization}
			if way.status == http.StatusUnsupportedMediaType {
				headers = append(headers, "Content-Type", "text/plain")
			}
			got := w.call(method, path, way.body, headers...)
			if got.status != way.status {
				t.Errorf("%s %s %.100s: %d %.300s, and not %d", method, path, way.body, got.status, got.body, way.status)
			}
			gives[strconv.Itoa(got.status)] = true
		}
		if ways[route] == nil {
			t.Errorf("nobody has asked %s", route)
			continue
		}
		first := ways[route][0].body
		ask(way{401, "", first}, "Bearer nobody's")
		if slices.Contains(says, "403") {
			ask(way{403, "", cmp.Or(first, `{"taskIdentifier":"task"}`)}, "Bearer "+weak)
		}
		for _, way := range ways[route] {
			ask(way, "Bearer "+w.demo.APIKey)
		}
		if got := slices.Sorted(maps.Keys(gives)); !slices.Equal(got, says) {
			t.Errorf("%s answers %v, and is said to answer %v", route, got, says)
		}
	}
}

// incompressible is a text that Postgres' compression does not make smaller.
func incompressible(n int) string {
	var text strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		text.WriteRune(rune(0x10000 + random.IntN(0x10000)))
	}
	return text.String()
}

// What is not built says so, whatever its method, to scripts of other origins too.
func TestNotBuilt(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/api/v1/schedules"}, {http.MethodPost, "/api/v1/waitpoints/tokens"}, {http.MethodDelete, "/api/v3/runs/run_x"},
		{http.MethodPut, "/api/v2/packets/x"}, {http.MethodGet, "/api/v1/runs/run_x/trace"}, {http.MethodGet, "/api/"},
	} {
		got := w.call(c.method, c.path, nil, "Origin", "https://app.example")
		if got.status != http.StatusNotImplemented || !strings.Contains(got.body, "not built here") || got.header.Get("X-Should-Retry") != "false" ||
			got.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("%s %s: %d %s %v", c.method, c.path, got.status, got.body, got.header)
		}
	}
}
