package platform_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// drawn is what a request names: mine, theirs, or nobody's.
type drawn struct {
	run, other, batch, key, cursor string
	t                              *rapid.T
}

// ask is a request.
type ask struct{ path, body string }

// asks are requests to the routes that name something, by route.
var asks = map[string]func(d drawn) ask{
	"GET /api/v3/runs/{run}":              func(d drawn) ask { return ask{"/api/v3/runs/" + d.run, ""} },
	"GET /api/v1/runs/{run}/result":       func(d drawn) ask { return ask{"/api/v1/runs/" + d.run + "/result", ""} },
	"GET /api/v1/runs/{run}/metadata":     func(d drawn) ask { return ask{"/api/v1/runs/" + d.run + "/metadata", ""} },
	"GET /api/v1/runs":                    func(d drawn) ask { return ask{"/api/v1/runs?" + d.query().Encode(), ""} },
	"GET /api/v1/batches/{batch}":         func(d drawn) ask { return ask{"/api/v1/batches/" + d.batch, ""} },
	"GET /api/v2/batches/{batch}":         func(d drawn) ask { return ask{"/api/v2/batches/" + d.batch, ""} },
	"GET /api/v1/batches/{batch}/results": func(d drawn) ask { return ask{"/api/v1/batches/" + d.batch + "/results", ""} },
	"POST /api/v1/tasks/{task}/trigger": func(d drawn) ask {
		return ask{"/api/v1/tasks/task/trigger", d.options()}
	},
	"POST /api/v3/batches": func(d drawn) ask {
		return ask{"/api/v3/batches", fmt.Sprintf(`{"runCount":1,"parentRunId":%q,"idempotencyKey":"batch %s"}`, d.other, d.key)}
	},
	"POST /api/v3/batches/{batch}/items": func(d drawn) ask {
		return ask{"/api/v3/batches/" + d.batch + "/items", `{"index":0,"task":"task",` + d.options()[1:]}
	},
	"POST /api/v2/tasks/batch": func(d drawn) ask {
		return ask{"/api/v2/tasks/batch", fmt.Sprintf(`{"parentRunId":%q,"items":[{"task":"task",%s]}`, d.other, d.options()[1:])}
	},
	"POST /api/v2/runs/{run}/cancel":     func(d drawn) ask { return ask{"/api/v2/runs/" + d.run + "/cancel", ""} },
	"POST /api/v1/runs/{run}/reschedule": func(d drawn) ask { return ask{"/api/v1/runs/" + d.run + "/reschedule", `{"delay":"1h"}`} },
	"POST /api/v1/runs/{run}/replay":     func(d drawn) ask { return ask{"/api/v1/runs/" + d.run + "/replay", ""} },
	"PUT /api/v1/runs/{run}/metadata": func(d drawn) ask {
		const set = `[{"type":"set","key":"was","value":"here"}]`
		return ask{"/api/v1/runs/" + d.run + "/metadata", `{"operations":` + set + `,"parentOperations":` + set + `,"rootOperations":` + set + `}`}
	},
	"POST /api/v1/runs/{run}/tags": func(d drawn) ask { return ask{"/api/v1/runs/" + d.run + "/tags", `{"tags":"new"}`} },
	"POST /api/v1/idempotencyKeys/{key}/reset": func(d drawn) ask {
		return ask{"/api/v1/idempotencyKeys/" + d.key + "/reset", `{"taskIdentifier":"task"}`}
	},
}

// namesNothing are the routes that asks has not, with their reasons.
var namesNothing = map[string]string{
	"POST /api/v1/auth/jwt/claims": "it says which environment a key is of, and reads no run",
}

// listValues are values of the parameters of a list, both tenants' runs having them.
var listValues = map[string]func(d drawn) string{
	"page[size]":                func(drawn) string { return "2" },
	"page[after]":               func(d drawn) string { return d.cursor },
	"page[before]":              func(d drawn) string { return d.cursor },
	"filter[status]":            func(drawn) string { return "QUEUED,DELAYED,EXECUTING,CANCELED,COMPLETED,CRASHED" },
	"filter[taskIdentifier]":    func(drawn) string { return "task" },
	"filter[version]":           func(drawn) string { return "v1" },
	"filter[tag]":               func(drawn) string { return "tag,theirs's tag" },
	"filter[queue]":             func(drawn) string { return "queue" },
	"filter[machine]":           func(drawn) string { return "micro" },
	"filter[region]":            func(drawn) string { return "here" },
	"filter[bulkAction]":        func(drawn) string { return "bulk" },
	"filter[schedule]":          func(drawn) string { return "sched" },
	"filter[isTest]":            func(drawn) string { return "false" },
	"filter[batch]":             func(d drawn) string { return d.batch },
	"filter[createdAt][from]":   func(drawn) string { return "0" },
	"filter[createdAt][to]":     func(drawn) string { return "4000000000000" },
	"filter[createdAt][period]": func(drawn) string { return "1d" },
}

// query is that of a list, with up to three parameters.
func (d drawn) query() url.Values {
	q := url.Values{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(listValues))), 0, 3, rapid.ID).Draw(d.t, "parameters") {
		q.Set(name, listValues[name](d))
	}
	return q
}

// options are the body of a trigger.
func (d drawn) options() string {
	return fmt.Sprintf(`{"payload":1,"options":{"idempotencyKey":%q,"parentRunId":%q}}`, d.key, d.other)
}

// Every route of the router is asked, and every parameter of a list.
func TestEveryRouteIsAskedForOthers(t *testing.T) {
	for _, route := range built(t) {
		if asks[route] == nil && namesNothing[route] == "" {
			t.Errorf("%s is not asked, and there is no reason", route)
		}
	}
	names := slices.Sorted(maps.Keys(listValues))
	if want := platform.ListParameters(); !slices.Equal(names, want) {
		t.Errorf("lists are asked with\n%q\nand have\n%q", names, want)
	}
}

// Whatever a request of mine names, and wherever the pointers of rows lead, its answer
// tells nothing of another's: it holds none of their texts and ids, it is the same for
// what is theirs as for what is not there, and reading gives the same when all that is
// theirs has changed. And nothing of theirs is changed by it.
func TestNothingOfAnotherEnvironment(t *testing.T) {
	w := newWorld(t)
	asked, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		mine, theirs := w.people(t)
		secrets := theirs.secrets()
		nobodys := map[string]string{} // in the place of what is theirs
		for _, id := range theirs.runs {
			nobodys[id] = runid.FormatRun(w.mint.Mint(runid.Home(strings.TrimPrefix(id, "run_"))))
		}
		for _, id := range theirs.batches {
			nobodys[id] = runid.FormatBatch(w.mint.Mint(runid.Legacy))
		}
		runs := rapid.SampledFrom(append(append([]string{"run_gone"}, mine.runs...), theirs.runs...))
		batches := rapid.SampledFrom(append(append([]string{"batch_gone"}, mine.batches...), theirs.batches...))
		before := w.has(t, theirs)
		for range rapid.IntRange(5, 20).Draw(t, "requests") {
			route := rapid.SampledFrom(slices.Sorted(maps.Keys(asks))).Draw(t, "route")
			one := asks[route](drawn{
				run: runs.Draw(t, "run"), other: runs.Draw(t, "other"), batch: batches.Draw(t, "batch"), t: t,
				key: rapid.SampledFrom([]string{"key0", "key1", "key2", "key 10", "new"}).Draw(t, "key"), cursor: rapid.SampledFrom([]string{mine.cursor, theirs.cursor, "stale"}).Draw(t, "cursor"),
			})
			w.v2.Store(rapid.Bool().Draw(t, "flag"))
			method, _, _ := strings.Cut(route, " ")
			send := func(a ask) reply {
				return w.call(method, a.path, a.body, "Authorization", "Bearer "+mine.key)
			}
			got := send(one)
			if got.status >= 500 {
				t.Fatalf("%s %s %s: %d %s", method, one.path, one.body, got.status, got.body)
			}
			if asked++; got.status != http.StatusOK {
				refused++
			}
			said := got.body + fmt.Sprint(got.header)
			if namesItself(route, one.path, mine) {
				for _, id := range theirs.runs { // they stand in the batch's own row, as it was written
					said = strings.ReplaceAll(said, id, "")
				}
			}
			for _, secret := range secrets {
				if strings.Contains(said, secret) {
					t.Fatalf("%s %s %s tells of %q: %s", method, one.path, one.body, secret, said)
				}
			}
			if after := w.has(t, theirs); !same(before, after) {
				t.Fatalf("%s %s %s: theirs was\n%v\nand is\n%v", method, one.path, one.body, before, after)
			}
			if got.status == http.StatusNotFound && !strings.HasSuffix(route, "/result") && slices.ContainsFunc(mine.runs, func(id string) bool { return strings.Contains(one.path, id) }) {
				t.Fatalf("%s %s %s: mine is not there: %s", method, one.path, one.body, got.body)
			}
			if elsewhere := one.replaced(nobodys); elsewhere != one {
				written := method != http.MethodGet && got.status == http.StatusOK // which is not done twice in the same way
				if nothing := send(elsewhere); nothing.status != got.status || nothing.body != got.body && !written {
					t.Fatalf("%s %s %s:\n%d %s\nand of what is not there\n%d %s", method, one.path, one.body, got.status, got.body, nothing.status, nothing.body)
				}
			}
			if method == http.MethodGet {
				w.disturb(t, theirs)
				before = w.has(t, theirs)
				if again := send(one); again.status != got.status || again.body != got.body {
					t.Fatalf("%s %s:\n%d %s\nand when theirs has changed\n%d %s", method, one.path, got.status, got.body, again.status, again.body)
				}
			}
		}
	})
	if refused > asked*4/5 {
		t.Errorf("of %d requests %d were refused: the rest is too little to tell anything", asked, refused)
	}
}

// namesItself says that a route shows the list of runs that stands in a batch of mine. It
// is shown as it is, also when runs of it are no more.
func namesItself(route, path string, mine *tenant) bool {
	return strings.HasPrefix(route, "GET ") && strings.HasSuffix(route, "/batches/{batch}") && strings.HasSuffix(path, mine.batches[0])
}

// replaced is the request with other ids.
func (a ask) replaced(ids map[string]string) ask {
	for from, to := range ids {
		a.path, a.body = strings.ReplaceAll(a.path, from, to), strings.ReplaceAll(a.body, from, to)
	}
	return a
}
