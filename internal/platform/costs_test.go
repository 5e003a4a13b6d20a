package platform_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// What is wrong a million times is said twenty times at most, and costs little more
// than to read the body: the answer is small, and so is the memory that it takes.
func TestCostsOfBadBodies(t *testing.T) {
	w := newWorld(t)
	const trigger, batch = "/api/v1/tasks/task/trigger", "/api/v2/tasks/batch"
	var wrong strings.Builder // items, of which each has four tags that are wrong
	for range 900 {
		wrong.WriteString(`{"task":"a","options":{"tags":[1,1,1,1]}},`)
	}
	for name, c := range map[string]struct {
		path, body, says string
		times            uint64 // the bytes allocated, per byte of the body
	}{
		"tags":      {trigger, `{"options":{"tags":[` + strings.Repeat("1,", 1_400_000) + `1]}}`, `has 1400001 elements`, 30},
		"few tags":  {trigger, `{"options":{"tags":[` + strings.Repeat("1,", 900) + `1]}}`, `received number at \"options.tags.19\"`, 2000},
		"items":     {batch, `{"items":[` + strings.Repeat("1,", 8_000_000) + `1]}`, "Batch size of 8000001 is too large", 30},
		"bad items": {batch, `{"items":[` + wrong.String() + `1]}`, "options.tags.3", 200},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := w.call(http.MethodPost, c.path, c.body)
		runtime.ReadMemStats(&after)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, c.says) || len(got.body) > 10_000 {
			t.Errorf("%s: %d, %d bytes, %.300s", name, got.status, len(got.body), got.body)
		}
		if n := strings.Count(got.body, `"code"`); n > 20 {
			t.Errorf("%s: %d issues", name, n)
		}
		spent := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes in, %d allocated, %d out", name, len(c.body), spent, len(got.body))
		if most := uint64(len(c.body)) * c.times; spent > most {
			t.Errorf("%s: %d bytes were allocated for %d, more than %d", name, spent, len(c.body), most)
		}
	}
}

// Who may not is told so whatever the body is.
func TestMayBeforeTheBody(t *testing.T) {
	w := newWorld(t)
	b := w.batch(object{"runCount": 1})
	for _, c := range []struct{ scope, path string }{
		{"trigger:tasks:other", "/api/v1/tasks/task/trigger"},
		{"read:runs", "/api/v2/tasks/batch"},
		{"trigger:tasks", "/api/v2/tasks/batch"},
		{"batchTrigger:runs", "/api/v3/batches"},
		{"read:all", "/api/v3/batches/" + b.ID + "/items"},
	} {
		got := w.call(http.MethodPost, c.path, "{", "Authorization", w.token(auth.Token{Scopes: []string{c.scope}}))
		if got.status != http.StatusForbidden {
			t.Errorf("%s at %s: %d %s", c.scope, c.path, got.status, got.body)
		}
	}
	for _, scope := range []string{"batchTrigger:tasks:task", "write:tasks", "*:tasks:task", "write:all"} {
		got := w.call(http.MethodPost, "/api/v2/tasks/batch", `{"items":[{"task":"task"}]}`, "Authorization", w.token(auth.Token{Scopes: []string{scope}}))
		if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", scope, got.status, got.body)
		}
	}
}

// What is remembered of a call is small, whatever the call was.
func TestRememberedCallsAreSmall(t *testing.T) {
	w := newWorld(t)
	tasks := make([]string, 200)
	for i := range tasks {
		tasks[i] = fmt.Sprint(i, strings.Repeat("x", 1000))
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools hold is let go by the second
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return now.HeapAlloc
	}
	w.batch(object{"runCount": 1, "taskIdentifiers": tasks})
	const calls = 50
	before := heap()
	for i := range calls {
		w.batch(object{"runCount": 1, "taskIdentifiers": tasks}, callHeader, fmt.Sprint(i))
	}
	if each := (int64(heap()) - int64(before)) / calls; each > 50_000 {
		t.Errorf("of a call with %d bytes of tasks %d bytes are kept", 200*1003, each)
	}
}
