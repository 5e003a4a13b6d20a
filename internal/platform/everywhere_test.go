package platform_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// built are all routes, as documents write them.
func built(t *testing.T) (routes []string) {
	t.Helper()
	err := chi.Walk(platform.Routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodOptions {
			routes = append(routes, method+" /api"+route)
		}
		return nil
	})
	if err != nil || len(routes) < 15 {
		t.Fatalf("%d routes, %v", len(routes), err)
	}
	return routes
}

// everything is all that is written, as texts.
func (w *world) everything() map[string]string {
	w.t.Helper()
	rows, err := w.db.Query(context.Background(), `
		SELECT 'legacy ' || id || r::text FROM "TaskRun" r UNION ALL SELECT 'v2 ' || id || r::text FROM task_run_v2 r UNION ALL SELECT 'batch ' || id || b::text FROM "BatchTaskRun" b`)
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			w.t.Fatal(err)
		}
		all[row] = row
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// refusedEverywhere asks, and fails unless the answer is a clear error of the client's
// and nothing was written.
func (w *world) refusedEverywhere(what, method, path string, body any, statuses ...int) {
	w.t.Helper()
	before := w.everything()
	got := w.call(method, path, body)
	if !slices.Contains(statuses, got.status) || !strings.HasPrefix(got.body, `{"error":"`) || len(got.body) > 5000 {
		w.t.Errorf("%s: %s %.100s: %d %.300s, and not %v", what, method, path, got.status, got.body, statuses)
	}
	if after := w.everything(); !maps.Equal(before, after) {
		w.t.Errorf("%s: %s %.100s has written something", what, method, path)
	}
}

// badIDs are segments of a path that name nothing: of runs and batches, without their
// prefix, and of others.
func badIDs(mint *runid.Minter) (runs, others []string) {
	good := mint.Mint(runid.V2) // a KSUID: 27 characters of base62
	runs = []string{
		"", "%00", "%ff", "a_b", "%2e%2e%2f", "a%0a", strings.Repeat("a", 10_000), "%C3%A9", "a%20", "'", "*",
		good, good[:26], good + "0", good[:13] + "-" + good[14:], good[:26] + "%00", good[:26] + "_", "%20" + good[1:],
		"aWgEPTl1tmebfsQzFP4bxwgy80W", strings.Repeat("z", 27), strings.Repeat("0", 27), good + good,
	}
	return runs, []string{"%00", "a%00b", "%ff", strings.Repeat("a", 10_000), strings.Repeat("%F0%9F%98%80", 2049)}
}

// A path that names nothing, such as an id that is almost a KSUID, is a 400 or a 404 on
// every route, whichever of them the documents give it, and whichever table it would be
// looked for in. What cannot be stored is always a 400.
func TestBadPathsEverywhere(t *testing.T) {
	w := newWorld(t)
	there := strings.NewReplacer("{run}", w.trigger("task", object{"delay": "1h", "idempotencyKey": "key"}), "{batch}", w.batch(object{"runCount": 1}).ID, "{task}", "task", "{key}", "key")
	ids, others := badIDs(w.mint)
	bodies := map[string]string{ // of requests that would do something
		"trigger": `{}`, "items": `{"index":0,"task":"a"}`, "reschedule": `{"delay":"2h"}`, "metadata": `{"metadata":{}}`, "tags": `{"tags":"a"}`, "reset": `{"taskIdentifier":"task"}`,
	}
	says := documented(t)
	for _, route := range built(t) {
		method, pattern, _ := strings.Cut(route, " ")
		var nothing []int
		for _, status := range []int{http.StatusBadRequest, http.StatusNotFound} {
			if slices.Contains(says[route], strconv.Itoa(status)) {
				nothing = append(nothing, status)
			}
		}
		for _, name := range regexp.MustCompile(`\{\w+\}`).FindAllString(pattern, -1) {
			bad := others
			switch name {
			case "{run}":
				bad = nil
				for _, id := range ids {
					bad = append(bad, "run_"+id)
				}
			case "{batch}":
				bad = nil
				for _, id := range ids {
					bad = append(bad, "batch_"+id)
				}
			}
			for _, id := range bad {
				path := there.Replace(strings.Replace(pattern, name, id, 1))
				body := bodies[pattern[strings.LastIndex(pattern, "/")+1:]]
				statuses := nothing
				if strings.Contains(id, "%00") || strings.Contains(id, "%ff") {
					statuses = []int{http.StatusBadRequest}
				}
				w.refusedEverywhere("a path", method, path, body, statuses...)
			}
		}
	}
}

// readNoBody are routes that read none, and so refuse none, with the reason.
var readNoBody = map[string]string{
	"POST /api/v2/runs/{run}/cancel": "SDKs send none, or an empty object",
	"POST /api/v1/auth/jwt/claims":   "SDKs send none",
}

// A body that is too large, or no JSON that could be kept, is refused on every route that
// reads one.
func TestBadBodiesEverywhere(t *testing.T) {
	w := newWorld(t)
	there := strings.NewReplacer("{run}", w.trigger("task", object{"delay": "1h", "idempotencyKey": "key"}), "{batch}", w.batch(object{"runCount": 1}).ID, "{task}", "task", "{key}", "key")
	payload := `{"payload":"` + strings.Repeat("x", 10<<20) + `"}`
	for _, route := range built(t) {
		method, pattern, _ := strings.Cut(route, " ")
		if method == http.MethodGet || readNoBody[route] != "" {
			continue
		}
		path, wrong := there.Replace(pattern), http.StatusBadRequest
		if strings.HasSuffix(pattern, "/replay") {
			wrong = http.StatusNotImplemented // whatever it is
		}
		large := payload
		if strings.HasSuffix(pattern, "/tasks/batch") { // which may have as much in all, and not in one item
			large = `{"items":[` + payload + `]}`
		}
		w.refusedEverywhere("10 MB", method, path, large, http.StatusRequestEntityTooLarge)
		w.refusedEverywhere("10 MB in pieces", method, path, struct{ *strings.Reader }{strings.NewReader(large)}, http.StatusRequestEntityTooLarge)
		for name, body := range map[string]string{
			"a NUL": "\x00", "a NUL behind": "{}\x00", "not UTF-8": "{\"tags\":\"\xff\"}", "cut off": `{"tags":`, "a list": `[]`, "null": `null`, "a text": `"a"`, "a number": `7`, "two": `{}{}`,
		} {
			w.refusedEverywhere(name, method, path, body, wrong)
		}
	}
}

// A list is refused for a parameter that is given twice, holds a NUL or is not UTF-8,
// whichever it is, and for a filter that has too many values or one of a wrong type.
func TestBadListsEverywhere(t *testing.T) {
	w := newWorld(t)
	w.trigger("task", nil)
	refused := func(name, value string) {
		t.Helper()
		w.refusedEverywhere(name, http.MethodGet, "/api/v1/runs?"+url.QueryEscape(name)+"="+value, nil, http.StatusBadRequest)
	}
	wrong := map[string][]string{
		"page[size]":                {"0", "-1", "101", "1.5", "x", "99999999999999999999", "%2010", "0x10"},
		"page[after]":               {"x", "AAAA", strings.Repeat("A", 600), "==", "%20", w.mint.Mint(runid.V2)},
		"page[before]":              {"x", "AAAA", strings.Repeat("A", 600), "==", "%20", w.mint.Mint(runid.V2)},
		"filter[status]":            {"RUNNING", "completed", "COMPLETED,", "1", "COMPLETED_SUCCESSFULLY"},
		"filter[isTest]":            {"1", "TRUE", "yes", "null"},
		"filter[batch]":             {"run_x", "batch_", "batch_a,batch_b", "batch_" + strings.Repeat("a", 100), "x"},
		"filter[createdAt][from]":   {"yesterday", "9223372036854775807", "-1e99", "2026-13-01", "1.5"},
		"filter[createdAt][to]":     {"tomorrow", "9223372036854775807", "-99999999999999", "2026-02-30T00:00:00Z"},
		"filter[createdAt][period]": {"1x", "-1d", "d", "1", "99999999999w"},
		"filter[taskIdentifier]":    {strings.Repeat("a,", 100)}, "filter[version]": {strings.Repeat("a,", 100)}, "filter[tag]": {strings.Repeat("a,", 100)},
		"filter[queue]": {strings.Repeat("a,", 100)}, "filter[machine]": {strings.Repeat("a,", 100)}, "filter[region]": {strings.Repeat("a,", 100)},
		"filter[bulkAction]": nil, "filter[schedule]": nil, // any text may be one
	}
	for _, name := range platform.ListParameters() {
		values, ok := wrong[name]
		if !ok {
			t.Errorf("nothing is wrong with %s", name)
		}
		for _, value := range append(values, "%00", "a%00", "%ff", "a%ff", "a&"+url.QueryEscape(name)+"=b", strings.Repeat("a", 10_001)) {
			refused(name, value)
		}
	}
	refused("filter[colour]", "red")
}

// A page that is changed in any character, or that is another environment's, is refused;
// one whose runs are no more leads on, since there is nothing about it that could expire.
func TestBadPages(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.trigger("task", nil)
	}
	page := w.list(url.Values{"page[size]": {"1"}})
	for i := range page.Pagination.Next {
		for _, c := range []byte{'A', '_', '=', 'z'} {
			edited := page.Pagination.Next[:i] + string(c) + page.Pagination.Next[i+1:]
			if edited == page.Pagination.Next {
				continue
			}
			if got := w.call(http.MethodGet, "/api/v1/runs?page[after]="+edited, nil); got.status != http.StatusBadRequest || !strings.Contains(got.body, "start again from the first page") {
				t.Errorf("with %c in place %d: %d %s", c, i, got.status, got.body)
			}
		}
	}
	for _, cut := range []string{page.Pagination.Next[1:], page.Pagination.Next[:len(page.Pagination.Next)-1], page.Pagination.Next + "A", page.Pagination.Next + page.Pagination.Next} {
		w.refusedEverywhere("a page", http.MethodGet, "/api/v1/runs?page[after]="+cut, nil, http.StatusBadRequest)
	}
	w.exec(`DELETE FROM "TaskRun" WHERE "friendlyId" = '` + page.Data[0].ID + `'`)
	if rest := w.list(url.Values{"page[after]": {page.Pagination.Next}}); len(rest.Data) != 2 {
		t.Errorf("behind a run that is no more there are %d, and not 2", len(rest.Data))
	}
}

// An idempotency key of 10,000 characters is refused wherever a request may have one.
func TestLongKeysEverywhere(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("k", 10_000)
	batch := w.batch(object{"runCount": 1}).ID
	option := fmt.Sprintf(`{"idempotencyKey":%q}`, long)
	for path, body := range map[string]string{
		"/api/v1/tasks/task/trigger":                 `{"options":` + option + `}`,
		"/api/v3/batches":                            `{"runCount":1,"idempotencyKey":"` + long + `"}`,
		"/api/v3/batches/" + batch + "/items":        `{"index":0,"task":"task","options":` + option + `}`,
		"/api/v2/tasks/batch":                        `{"items":[{"task":"task","options":` + option + `}]}`,
		"/api/v1/idempotencyKeys/" + long + "/reset": `{"taskIdentifier":"task"}`,
	} {
		w.refusedEverywhere("a long key", http.MethodPost, path, body, http.StatusBadRequest)
	}
	for name, value := range map[string]string{"idempotency-key": long, "idempotency-key-ttl": long} {
		before := w.everything()
		got := w.call(http.MethodPost, "/api/v1/tasks/task/trigger", "{}", "idempotency-key", "k", name, value)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, name) || !maps.Equal(before, w.everything()) {
			t.Errorf("the header %s: %d %.300s", name, got.status, got.body)
		}
	}
}
