package platform_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

const callHeader = "X-Trigger-Request-Idempotency-Key"

// The tries of one call of an SDK make one run, in whatever order they come; another
// call makes another.
func TestOneCallOneRun(t *testing.T) {
	w := newWorld(t)
	const path, tries = "/api/v1/tasks/task/trigger", 8
	ids := make([]string, tries)
	var trying sync.WaitGroup
	for i := range tries {
		trying.Go(func() {
			w.v2.Store(i%2 == 0) // the flag is turned between two tries
			got := w.call(http.MethodPost, path, `{"payload":1}`, callHeader, "call-1")
			if got.status != http.StatusOK {
				t.Errorf("%d %s", got.status, got.body)
			}
			ids[i] = got.body
		})
	}
	trying.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("one call made %s and %s", id, ids[0])
		}
	}
	if n := w.rows(); n != 1 {
		t.Errorf("one call made %d runs", n)
	}
	for _, call := range []string{"call-2", ""} {
		w.call(http.MethodPost, path, `{"payload":1}`, callHeader, call).into(t, http.StatusOK, nil)
	}
	w.call(http.MethodPost, "/api/v1/tasks/other/trigger", `{}`, callHeader, "call-1").into(t, http.StatusOK, nil)
	if n := w.rows(); n != 4 {
		t.Errorf("four calls made %d runs", n)
	}
	// A try that failed does not stand for the call.
	w.call(http.MethodPost, path, `{"options":{"parentRunId":"run_nobody"}}`, callHeader, "call-3").into(t, http.StatusForbidden, nil)
	w.call(http.MethodPost, path, `{}`, callHeader, "call-3").into(t, http.StatusOK, nil)
}

// A name of a call is its credential's own: who uses it with another is told nothing
// of what it came to.
func TestCallsAreTheirCredentials(t *testing.T) {
	w := newWorld(t)
	const path = "/api/v1/tasks/task/trigger"
	first := w.call(http.MethodPost, path, "{}", callHeader, "call")
	token := w.token(auth.Token{Scopes: []string{"trigger:tasks:task"}})
	second := w.call(http.MethodPost, path, "{}", callHeader, "call", "Authorization", token)
	if first.status != 200 || second.status != 200 || first.body == second.body {
		t.Errorf("%d %s and %d %s", first.status, first.body, second.status, second.body)
	}
	w.call(http.MethodPost, path, "{}", callHeader, "call", "Authorization", w.token(auth.Token{Scopes: []string{"read:runs"}})).into(t, 403, nil)
}

// The tries of one call make one batch, in either form, however many come at the
// same time; and a batch in one phase that was cut off is finished by the next try.
func TestOneCallOneBatch(t *testing.T) {
	w := newWorld(t)
	for path, c := range map[string]struct {
		body object
		rows int
	}{
		"/api/v3/batches":     {object{"runCount": 2}, 1},
		"/api/v2/tasks/batch": {object{"items": []object{{"task": "a", "payload": 1}, {"task": "b", "payload": 2}}}, 3},
	} {
		before := w.rows()
		ids := make([]string, 4)
		var trying sync.WaitGroup
		for i := range ids {
			trying.Go(func() {
				got := w.call(http.MethodPost, path, c.body, callHeader, "call")
				for got.status == http.StatusServiceUnavailable { // another makes the same item now: so it is on the SDK
					got = w.call(http.MethodPost, path, c.body, callHeader, "call")
				}
				var made batchMade
				got.into(t, http.StatusOK, &made)
				ids[i] = made.ID
			})
		}
		trying.Wait()
		if n := w.rows() - before; n != c.rows || ids[0] != ids[3] || ids[1] != ids[2] || ids[0] != ids[1] {
			t.Errorf("%s: one call made %d rows, and is told of %v", path, n, ids)
		}
		w.call(http.MethodPost, path, c.body, callHeader, "another").into(t, http.StatusOK, nil)
		w.call(http.MethodPost, path, c.body).into(t, http.StatusOK, nil)
		if n := w.rows() - before; n != 3*c.rows {
			t.Errorf("%s: three calls made %d rows", path, n)
		}
	}
}

func TestBatchAtOnceIsFinished(t *testing.T) {
	w := newWorld(t)
	const path, body = "/api/v2/tasks/batch", `{"items":[{"task":"task","payload":1},{"task":"task","payload":2}]}`
	w.exec(`
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
		CREATE TRIGGER fail BEFORE INSERT ON "TaskRun" FOR EACH ROW WHEN (NEW.payload = '2') EXECUTE FUNCTION fail()`)
	w.call(http.MethodPost, path, body, callHeader, "call").into(t, http.StatusServiceUnavailable, nil)
	w.exec(`DROP TRIGGER fail ON "TaskRun"`)
	var made batchMade
	w.call(http.MethodPost, path, body, callHeader, "call").into(t, http.StatusOK, &made)
	if b := w.shown(made.ID); len(b.Runs) != 2 || len(b.taskRunsOfTheBatch) != 2 || w.rows() != 3 {
		t.Errorf("the batch has %v, and there are %d rows", b.Runs, w.rows())
	}
	// Another number of items cannot be a try of the same call.
	if got := w.call(http.MethodPost, path, `{"items":[{"task":"task"}]}`, callHeader, "call"); got.status != 422 || !strings.Contains(got.body, "batch of 2 items") || w.rows() != 3 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// A client that left while its row was being written, and comes again, gets that row.
func TestWhoComesAgainGetsTheFirstRun(t *testing.T) {
	w := newWorld(t)
	// The insert waits for a lock, and a request to cancel it comes to nothing.
	w.exec(`
		CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			LOOP
				BEGIN
					PERFORM pg_advisory_xact_lock_shared(7);
					RETURN NEW;
				EXCEPTION WHEN query_canceled THEN
				END;
			END LOOP;
		END $$;
		CREATE TRIGGER hold BEFORE INSERT ON "TaskRun" FOR EACH ROW EXECUTE FUNCTION hold()`)
	lock, err := w.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.Background()) }()
	if _, err := lock.Exec(t.Context(), `SELECT pg_advisory_xact_lock(7)`); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/api/v1/tasks/task/trigger", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.demo.APIKey)
	r.Header.Set(callHeader, "call")
	left := make(chan struct{})
	go func() {
		defer close(left)
		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close()
			t.Errorf("it was answered with %d", res.StatusCode)
		}
	}()
	for held := false; !held; { // bounded by the test's own time
		if err := w.db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&held); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	<-left
	again := make(chan reply)
	go func() { again <- w.call(http.MethodPost, "/api/v1/tasks/task/trigger", "{}", callHeader, "call") }()
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := <-again
	for busy := true; busy; {
		if err := w.db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid())`).Scan(&busy); err != nil {
			t.Fatal(err)
		}
	}
	if got.status != http.StatusOK || w.rows() != 1 {
		t.Errorf("%d %s, and there are %d runs", got.status, got.body, w.rows())
	}
}

// The database writes a row, and its answer is lost. The next try of the call gets that
// row, also if it was written with a token that can be used once.
func TestALostAnswerOfTheDatabase(t *testing.T) {
	w := newWorld(t)
	for path, body := range map[string]string{
		"/api/v1/tasks/task/trigger": `{"payload":"lose me"}`,
		"/api/v3/batches":            `{"runCount":1,"taskIdentifiers":["lose me"]}`,
	} {
		for name, authorization := range map[string]string{
			"a key":            "Bearer " + w.demo.APIKey,
			"a token for once": w.token(auth.Token{Scopes: []string{"write:tasks"}, OneTimeUse: true}),
		} {
			w.v2.Store(!w.v2.Load())
			before := w.rows()
			w.lose.Store(true)
			w.call(http.MethodPost, path, body, callHeader, "call", "Authorization", authorization).into(t, http.StatusServiceUnavailable, nil)
			if w.lose.Load() {
				t.Fatal("nothing was lost")
			}
			w.v2.Store(!w.v2.Load())
			got := w.call(http.MethodPost, path, body, callHeader, "call", "Authorization", authorization)
			for got.status == http.StatusServiceUnavailable && name != "a key" { // the claim of the token has to lapse
				got = w.call(http.MethodPost, path, body, callHeader, "call", "Authorization", authorization)
			}
			if n := w.rows() - before; got.status != http.StatusOK || n != 1 {
				t.Errorf("%s with %s: %d %s, and %d rows", path, name, got.status, got.body, n)
			}
		}
	}
}
