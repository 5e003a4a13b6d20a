package platform_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

type batchMade struct {
	ID                 string
	RunCount           int
	IsCached           bool
	Sealed             bool
	ItemsAccepted      int
	ItemsDeduplicated  int
	EnqueuedCount      *int
	ExpectedCount      *int
	Runs               []string
	Status             string
	taskRunsOfTheBatch []runstore.Run
}

func (w *world) batch(body object, headers ...string) (b batchMade) {
	w.t.Helper()
	w.call(http.MethodPost, "/api/v3/batches", body, headers...).into(w.t, http.StatusOK, &b)
	return b
}

// shown is a batch, and its runs as they are in the tables.
func (w *world) shown(id string) (b batchMade) {
	w.t.Helper()
	w.call(http.MethodGet, "/api/v2/batches/"+id, nil).into(w.t, http.StatusOK, &b)
	friendly, err := runid.ParseBatch(id)
	if err != nil {
		w.t.Fatal(err)
	}
	if b.taskRunsOfTheBatch, err = w.store.FindBatchRuns(w.t.Context(), runstore.Batch{ID: friendly.Suffix(), EnvironmentID: w.demo.EnvironmentID, RunIDs: b.Runs}); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"index\":%d,\"task\":\"task\",\"payload\":\"%d\"}\n", i, i)
	}
	return b.String()
}

// However often, and by however many at the same time, the items of a batch are
// sent, it gets each run once, in the order of its items, though the flag is turned
// meanwhile.
func TestItemsAreMadeOnce(t *testing.T) {
	w := newWorld(t)
	const n = 20
	batch := w.batch(object{"runCount": n})
	var sending sync.WaitGroup
	for i := range 4 {
		sending.Go(func() {
			w.v2.Store(i%2 == 0)
			got := w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", lines(n))
			for got.status == http.StatusServiceUnavailable { // another makes the same item now: so it is on the SDK
				got = w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", lines(n))
			}
			var b batchMade
			if got.into(t, http.StatusOK, &b); !b.Sealed || b.ItemsAccepted+b.ItemsDeduplicated != n {
				t.Errorf("%s", got.body)
			}
		})
	}
	sending.Wait()
	b := w.shown(batch.ID)
	if len(b.Runs) != n || len(b.taskRunsOfTheBatch) != n {
		t.Fatalf("it names %d runs, and %d name it", len(b.Runs), len(b.taskRunsOfTheBatch))
	}
	for i, run := range b.taskRunsOfTheBatch {
		if run.Payload != fmt.Sprint(i) || run.FriendlyID != b.Runs[i] {
			t.Errorf("run %d has the payload %s", i, run.Payload)
		}
	}
	// Once it is sealed, nothing is added to it.
	w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", lines(n)).into(t, http.StatusOK, &b)
	if b.ItemsAccepted != 0 || len(w.shown(batch.ID).taskRunsOfTheBatch) != n {
		t.Errorf("a sealed batch accepts %d", b.ItemsAccepted)
	}
}

// A batch that was cut off in the middle is finished by the next try, without a run
// twice.
func TestBatchIsFinished(t *testing.T) {
	w := newWorld(t)
	batch := w.batch(object{"runCount": 3})
	// The database fails at the third item.
	if _, err := w.db.Exec(t.Context(), `
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
		CREATE TRIGGER fail BEFORE INSERT ON "TaskRun" FOR EACH ROW WHEN (NEW.payload = '2') EXECUTE FUNCTION fail()`); err != nil {
		t.Fatal(err)
	}
	if got := w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", lines(3)); got.status != 503 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if _, err := w.db.Exec(t.Context(), `DROP TRIGGER fail ON "TaskRun"`); err != nil {
		t.Fatal(err)
	}
	if b := w.shown(batch.ID); len(b.taskRunsOfTheBatch) != 2 || len(b.Runs) != 0 {
		t.Fatalf("it has %d runs, and names %v", len(b.taskRunsOfTheBatch), b.Runs)
	}
	w.v2.Store(true) // the rest goes to the other table
	var sent batchMade
	w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", lines(3)).into(t, http.StatusOK, &sent)
	b := w.shown(batch.ID)
	if !sent.Sealed || sent.ItemsAccepted != 1 || sent.ItemsDeduplicated != 2 || len(b.Runs) != 3 || len(b.taskRunsOfTheBatch) != 3 {
		t.Errorf("%+v, %+v", sent, b)
	}
	if first, last := b.taskRunsOfTheBatch[0].Table(), b.taskRunsOfTheBatch[2].Table(); first != runid.Legacy || last != runid.V2 {
		t.Errorf("they are in %v and %v", first, last)
	}
	var results struct{ Items []struct{ ID string } }
	w.call(http.MethodPost, "/api/v2/runs/"+b.Runs[1]+"/cancel", nil).into(t, http.StatusOK, nil)
	w.call(http.MethodGet, "/api/v1/batches/"+batch.ID+"/results", nil).into(t, http.StatusOK, &results)
	if len(results.Items) != 1 || results.Items[0].ID != b.Runs[1] {
		t.Errorf("the results are %+v", results)
	}
}

// What is accepted are items, not runs: one whose key has a run is accepted when it is
// first sent, and again by the try that finishes the batch.
func TestItemsWhoseKeyHasARun(t *testing.T) {
	w := newWorld(t)
	there := w.trigger("task", object{"idempotencyKey": "there"})
	items := `{"index":0,"task":"task"}` + "\n" + `{"index":1,"task":"task","options":{"idempotencyKey":"there"}}` + "\n" + `{"index":2,"task":"task","payload":"2"}`
	send := func(id string, accepted, deduplicated int) {
		t.Helper()
		var sent batchMade
		w.call(http.MethodPost, "/api/v3/batches/"+id+"/items", items).into(t, http.StatusOK, &sent)
		if !sent.Sealed || sent.ItemsAccepted != accepted || sent.ItemsDeduplicated != deduplicated {
			t.Errorf("%+v, instead of %d accepted and %d that were", sent, accepted, deduplicated)
		}
		if b := w.shown(id); len(b.Runs) != 3 || b.Runs[1] != there {
			t.Errorf("it has %v, and the key %s", b.Runs, there)
		}
	}
	whole := w.batch(object{"runCount": 3}).ID
	send(whole, 3, 0)
	send(whole, 0, 3) // it is sealed
	cut := w.batch(object{"runCount": 3}).ID
	w.exec(`
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
		CREATE TRIGGER fail BEFORE INSERT ON "TaskRun" FOR EACH ROW WHEN (NEW.payload = '2') EXECUTE FUNCTION fail()`)
	w.call(http.MethodPost, "/api/v3/batches/"+cut+"/items", items).into(t, http.StatusServiceUnavailable, nil)
	w.exec(`DROP TRIGGER fail ON "TaskRun"`)
	send(cut, 2, 1)
	if n := w.rows(); n != 1+2+2+2 { // the key's, two of each batch, and the batches
		t.Errorf("%d rows", n)
	}
}

// A batch's key names one batch, also while that is still open; and its parent is
// that of its runs.
func TestBatchKeysAndParents(t *testing.T) {
	w := newWorld(t)
	parent := w.trigger("parent", nil)
	body := object{"runCount": 2, "idempotencyKey": "k", "parentRunId": parent, "resumeParentOnCompletion": true}
	first, again := w.batch(body), w.batch(body)
	if first.IsCached || again.IsCached || again.ID != first.ID {
		t.Errorf("of an open batch there are %+v and %+v", first, again)
	}
	w.call(http.MethodPost, "/api/v3/batches/"+first.ID+"/items", lines(2)).into(t, http.StatusOK, nil)
	if cached := w.batch(body); !cached.IsCached || cached.ID != first.ID {
		t.Errorf("of a sealed batch there is %+v", cached)
	}
	var run struct {
		TriggerFunction, BatchID string
		Depth                    int
		RelatedRuns              struct{ Parent struct{ ID string } }
	}
	w.call(http.MethodGet, "/api/v3/runs/"+w.shown(first.ID).Runs[0], nil).into(t, http.StatusOK, &run)
	if run.TriggerFunction != "batchTriggerAndWait" || run.BatchID != first.ID || run.Depth != 1 || run.RelatedRuns.Parent.ID != parent {
		t.Errorf("a run of it is %+v", run)
	}
	// The older form does all at once.
	var old batchMade
	w.call(http.MethodPost, "/api/v2/tasks/batch", object{"items": []object{{"task": "a"}, {"task": "b"}}, "parentRunId": parent}).into(t, http.StatusOK, &old)
	b := w.shown(old.ID)
	var tasks []string
	for _, run := range b.taskRunsOfTheBatch {
		tasks = append(tasks, run.TaskIdentifier)
	}
	if old.RunCount != 2 || len(b.Runs) != 2 || !slices.Equal(tasks, []string{"a", "b"}) || *b.taskRunsOfTheBatch[0].ParentRunID != strings.TrimPrefix(parent, "run_") {
		t.Errorf("at once: %+v, %+v", old, b)
	}
}

// A token for one use makes one batch and its items, and no items of another's.
func TestBatchWithATokenForOneUse(t *testing.T) {
	w := newWorld(t)
	once := func() string { return w.token(auth.Token{Scopes: []string{"batchTrigger:tasks"}, OneTimeUse: true}) }
	other := w.batch(object{"runCount": 1})
	token := once()
	mine := w.batch(object{"runCount": 1}, "Authorization", token)
	for id, status := range map[string]int{other.ID: 422, mine.ID: 200} {
		if got := w.call(http.MethodPost, "/api/v3/batches/"+id+"/items", lines(1), "Authorization", token); got.status != status {
			t.Errorf("items of %s: %d %s, instead of %d", id, got.status, got.body, status)
		}
	}
	if got := w.call(http.MethodPost, "/api/v3/batches", object{"runCount": 1}, "Authorization", token); got.status != 422 || !strings.Contains(got.body, "already been used") {
		t.Errorf("a second batch: %d %s", got.status, got.body)
	}
}

// Items are taken, and anything is said of a batch, only for who may trigger all tasks
// that its first phase named; where it named none, for who may trigger any.
func TestItemsOfAnothersBatch(t *testing.T) {
	w := newWorld(t)
	named := w.batch(object{"runCount": 7, "taskIdentifiers": []string{"a", "b"}})
	open := w.batch(object{"runCount": 7})
	for _, c := range []struct {
		batch, scope, body string
		status             int
	}{
		{named.ID, "batchTrigger:tasks:a", "", 403},
		{named.ID, "batchTrigger:tasks:a", `{"index":0,"task":"a"}`, 403},
		{named.ID, "batchTrigger:tasks:a", `{"index":99,"task":"a"}`, 403},
		{named.ID, "write:tasks:c", "", 403},
		{named.ID, "batchTrigger:tasks", "", 200},
		{open.ID, "batchTrigger:tasks:a", "", 403},
		{open.ID, "batchTrigger:tasks:a", `{"index":0,"task":"a"}`, 403},
		{open.ID, "write:tasks", "", 200},
	} {
		got := w.call(http.MethodPost, "/api/v3/batches/"+c.batch+"/items", c.body, "Authorization", w.token(auth.Token{Scopes: []string{c.scope}}))
		if got.status != c.status || (got.status == 200) != strings.Contains(got.body, `"expectedCount":7`) || got.status != 200 && strings.Contains(got.body, "7") {
			t.Errorf("%s, %s: %d %s", c.scope, c.body, got.status, got.body)
		}
	}
	// Nor by its key, for which there would be a token that reads its runs.
	keyed := w.batch(object{"runCount": 7, "taskIdentifiers": []string{"b"}, "idempotencyKey": "key"})
	for scope, status := range map[string]int{"batchTrigger:tasks:a": 403, "batchTrigger:tasks": 200} {
		got := w.call(http.MethodPost, "/api/v3/batches", object{"runCount": 1, "taskIdentifiers": []string{"a"}, "idempotencyKey": "key"}, "Authorization", w.token(auth.Token{Scopes: []string{scope}}))
		if got.status != status || (status == 200) != strings.Contains(got.body, keyed.ID) || (status == 200) != (got.header.Get("X-Trigger-Jwt") != "") {
			t.Errorf("by its key, %s: %d %s %v", scope, got.status, got.body, got.header)
		}
	}
	both := w.token(auth.Token{Scopes: []string{"batchTrigger:tasks:a", "write:tasks:b"}})
	mine := w.batch(object{"runCount": 2, "taskIdentifiers": []string{"a", "b", "a"}}, "Authorization", both)
	items := `{"index":0,"task":"a"}` + "\n" + `{"index":1,"task":"b"}`
	w.call(http.MethodPost, "/api/v3/batches/"+mine.ID+"/items", items, "Authorization", both).into(t, http.StatusOK, nil)
	if runs := w.shown(mine.ID).Runs; len(runs) != 2 {
		t.Errorf("the batch has %v", runs)
	}
}

// An item may come again, and the last counts; but no more lines are read than twice as
// many as there are runs.
func TestItemsThatComeAgain(t *testing.T) {
	w := newWorld(t)
	path := "/api/v3/batches/" + w.batch(object{"runCount": 2}).ID + "/items"
	const first, last = `{"index":0,"task":"a","payload":"1"}` + "\n", `{"index":1,"task":"a"}` + "\n"
	got := w.call(http.MethodPost, path, strings.Repeat(first, 400_000)+"{")
	if got.status != 400 || !strings.Contains(got.body, "Line 5: ") || !strings.Contains(got.body, "twice as many lines") {
		t.Errorf("%d %s", got.status, got.body)
	}
	again := strings.ReplaceAll(first, `"1"`, `"2"`)
	w.call(http.MethodPost, path, "\n\n"+first+first+last+again+"\n").into(t, http.StatusOK, nil)
	if n := w.rows(); n != 3 {
		t.Errorf("%d rows", n)
	}
	var payload string
	if err := w.db.QueryRow(t.Context(), `SELECT payload FROM "TaskRun" WHERE payload <> '{}'`).Scan(&payload); err != nil || payload != "2" {
		t.Errorf("the first item has %q, %v", payload, err)
	}
}
