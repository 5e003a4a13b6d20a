package platform_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Every status of the database has a word in both versions of the API, with its
// flags, and a list can be asked for by that word.
func TestWords(t *testing.T) {
	w := newWorld(t)
	for status, c := range map[string]struct{ current, former, flags string }{
		"DELAYED":                {"DELAYED", "DELAYED", "isQueued"},
		"PENDING":                {"QUEUED", "QUEUED", "isQueued"},
		"PENDING_VERSION":        {"PENDING_VERSION", "PENDING_VERSION", "isQueued"},
		"WAITING_FOR_DEPLOY":     {"PENDING_VERSION", "WAITING_FOR_DEPLOY", "isQueued"},
		"DEQUEUED":               {"DEQUEUED", "EXECUTING", "isExecuting"},
		"EXECUTING":              {"EXECUTING", "EXECUTING", "isExecuting"},
		"WAITING_TO_RESUME":      {"WAITING", "FROZEN", "isWaiting"},
		"PAUSED":                 {"WAITING", "FROZEN", "isWaiting"},
		"RETRYING_AFTER_FAILURE": {"EXECUTING", "REATTEMPTING", "isExecuting"},
		"CANCELED":               {"CANCELED", "CANCELED", "isCancelled isCompleted"},
		"INTERRUPTED":            {"FAILED", "INTERRUPTED", "isCompleted isFailed"},
		"COMPLETED_SUCCESSFULLY": {"COMPLETED", "COMPLETED", "isCompleted isSuccess"},
		"COMPLETED_WITH_ERRORS":  {"FAILED", "FAILED", "isCompleted isFailed"},
		"SYSTEM_FAILURE":         {"SYSTEM_FAILURE", "SYSTEM_FAILURE", "isCompleted isFailed"},
		"CRASHED":                {"CRASHED", "CRASHED", "isCompleted isFailed"},
		"EXPIRED":                {"EXPIRED", "EXPIRED", ""},
		"TIMED_OUT":              {"TIMED_OUT", "TIMED_OUT", ""},
	} {
		id := w.trigger("task", nil)
		if _, err := w.db.Exec(t.Context(), `UPDATE "TaskRun" SET status = $1 WHERE "friendlyId" = $2`, status, id); err != nil {
			t.Fatal(err)
		}
		for version, word := range map[string]string{"2025-07-16": c.current, "none": c.former} {
			var run map[string]any
			w.call(http.MethodGet, "/api/v3/runs/"+id, nil, "X-Trigger-Api-Version", version).into(t, http.StatusOK, &run)
			var set []string
			for _, flag := range []string{"isCancelled", "isCompleted", "isExecuting", "isFailed", "isQueued", "isSuccess", "isWaiting"} {
				is, there := run[flag].(bool)
				if !there {
					t.Errorf("%s: no %s", status, flag)
				}
				if is {
					set = append(set, flag)
				}
			}
			if flags := strings.Join(set, " "); run["status"] != word || version != "none" && flags != c.flags {
				t.Errorf("%s is %v with %s, for version %s", status, run["status"], flags, version)
			}
			var page listPage
			w.call(http.MethodGet, "/api/v1/runs?page[size]=100&filter[status]="+word, nil).into(t, http.StatusOK, &page)
			if !slices.Contains(page.ids(), id) {
				t.Errorf("%s is not found by %s", status, word)
			}
		}
	}
}

// What a run was triggered with is what it says of itself, in the form that SDKs
// check.
func TestRetrieve(t *testing.T) {
	w := newWorld(t)
	for _, v2 := range []bool{false, true} {
		w.v2.Store(v2)
		id := w.trigger("a/task", object{
			"tags": []string{"z", "a", ""}, "metadata": object{"m": object{"n": 1}}, "metadataType": "application/json", "ttl": 90,
			"queue": object{"name": "q"}, "concurrencyKey": 7, "machine": "micro", "maxAttempts": 2, "maxDuration": 60, "priority": 1.5, "test": true, "region": "r",
			"idempotencyKey": fmt.Sprint("hash of ", v2), "idempotencyKeyOptions": object{"key": "mine", "scope": "global"}, "lockToVersion": "1", "externalDeploymentId": nil,
		})
		if friendly, err := runid.ParseRun(id); err != nil || (friendly.Home() == runid.V2) != v2 {
			t.Errorf("%s is in the wrong table: %v", id, err)
		}
		var got map[string]any
		w.call(http.MethodGet, "/api/v3/runs/"+id, nil).into(t, http.StatusOK, &got)
		for _, at := range []string{"createdAt", "updatedAt"} {
			if text, _ := got[at].(string); len(text) != len("2026-01-01T00:00:00.000Z") || !strings.HasSuffix(text, "Z") {
				t.Errorf("%s is %q", at, text)
			}
			delete(got, at)
		}
		have, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"attemptCount":0,"attempts":[],"baseCostInCents":0,"costInCents":0,"depth":0,"durationMs":0,"id":"` + id + `","idempotencyKey":"mine",` +
			`"isCancelled":false,"isCompleted":false,"isExecuting":false,"isFailed":false,"isQueued":true,"isSuccess":false,"isTest":true,"isWaiting":false,` +
			`"metadata":{"m":{"n":1}},"payload":{"n":1},"region":"r","relatedRuns":{"children":[]},"status":"QUEUED","tags":["a","z"],` +
			`"taskIdentifier":"a/task","triggerFunction":"trigger","ttl":"90s"}`
		if string(have) != want {
			t.Errorf("it is\n%s\nand should be\n%s", have, want)
		}
	}
}
