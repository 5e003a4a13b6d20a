package trigger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

func withKey(r *trigger.Request) { r.IdempotencyKey = "key" }

// The names in Redis of the key that withKey gives to a task of ours.
const (
	claimName  = "mollifier:claim:ZW52X291cnM:dGFzaw:a2V5"
	lookupName = "mollifier:idempotency:ZW52X291cnM:dGFzaw:a2V5"
)

// onRedis is a fixture with claims in a Redis, and a connection to that.
func onRedis(t *testing.T) (*fixture, *redis.Client) {
	server := redistest.Start(t)
	f := newFixture(t, shared(t, server))
	return f, server.Client(t)
}

// exec changes a run behind the service's back.
func (f *fixture) exec(t testing.TB, run runstore.Run, set string, args ...any) {
	t.Helper()
	tag, err := f.pool.Exec(t.Context(), `UPDATE `+run.Table().SQL()+` SET `+set+` WHERE id = $1`, append([]any{run.ID}, args...)...)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatal(tag, err)
	}
}

// A run answers for its key as long as it is live, in whichever table new runs go
// to by now, and whether Redis remembers it or not. Then it gives the key up.
func TestWhoHasTheKey(t *testing.T) {
	f, db := onRedis(t)
	for name, c := range map[string]struct {
		set    string
		cached bool
	}{
		"pending":    {`status = 'PENDING'`, true},
		"executing":  {`status = 'EXECUTING'`, true},
		"completed":  {`status = 'COMPLETED_SUCCESSFULLY'`, true},
		"canceled":   {`status = 'CANCELED'`, true},
		"failed":     {`status = 'COMPLETED_WITH_ERRORS'`, false},
		"crashed":    {`status = 'CRASHED'`, false},
		"timed out":  {`status = 'TIMED_OUT'`, false},
		"expired":    {`status = 'EXPIRED'`, false},
		"no expiry":  {`"idempotencyKeyExpiresAt" = NULL`, true},
		"key's time": {`"idempotencyKeyExpiresAt" = now() AT TIME ZONE 'utc' - interval '1 second'`, false},
		"cleared":    {`"idempotencyKey" = NULL`, false},
		"other key":  {`"idempotencyKey" = 'another'`, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, from := range runid.Tables() {
				for _, to := range runid.Tables() {
					for _, remembered := range []bool{true, false} {
						if _, err := f.pool.Exec(t.Context(), `DELETE FROM "TaskRun"; DELETE FROM task_run_v2`); err != nil {
							t.Fatal(err)
						}
						db.FlushAll(t.Context())
						old := f.at(from).make(t, request(withKey))
						f.exec(t, old, c.set)
						if !remembered {
							db.FlushAll(t.Context())
						}
						got, err := f.at(to).Trigger(t.Context(), request(withKey))
						if err != nil {
							t.Fatal(err)
						}
						if got.IsCached != c.cached || (got.ID == old.ID) != c.cached || !c.cached && got.Run.Table() != to {
							t.Errorf("from %s to %s, remembered %v: cached %v, %s after %s", from, to, remembered, got.IsCached, got.ID, old.ID)
						}
						if n := f.count(t, `"idempotencyKey" = 'key'`); n != 1 {
							t.Errorf("from %s to %s: %d runs have the key", from, to, n)
						}
						if says := db.Get(t.Context(), claimName).Val(); says != got.FriendlyID {
							t.Errorf("Redis says %q, and not %s", says, got.FriendlyID)
						}
					}
				}
			}
		})
	}
}

// A key is one task's, in one environment.
func TestKeysAreApart(t *testing.T) {
	f, _ := onRedis(t)
	for _, change := range []func(*trigger.Request){
		func(*trigger.Request) {}, func(r *trigger.Request) { r.Task = "another" }, func(r *trigger.Request) { r.Environment = theirs },
	} {
		f.make(t, request(withKey, change))
	}
}

// A run that fails to be made leaves the key to the next.
func TestReleased(t *testing.T) {
	f, db := onRedis(t)
	change := func(sql string) {
		t.Helper()
		if _, err := f.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	change(`ALTER TABLE "TaskRun" ADD CONSTRAINT nothing CHECK (payload = '')`)
	if got, err := f.Trigger(t.Context(), request(withKey)); err == nil {
		t.Fatalf("%+v", got)
	}
	change(`ALTER TABLE "TaskRun" DROP CONSTRAINT nothing`)
	if keys := db.Keys(t.Context(), "*").Val(); len(keys) != 0 {
		t.Errorf("Redis has %q", keys)
	}
	f.make(t, request(withKey))
}

// Who waits for the platform's trigger gets its run, or is told to come again.
func TestThePlatformTriggersToo(t *testing.T) {
	server := redistest.Start(t)
	c, db := shared(t, server), server.Client(t)
	f := newFixture(t, c)
	f.claimWait = 200 * time.Millisecond
	set := func(name, value string) {
		t.Helper()
		if err := db.Set(t.Context(), name, value, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set(claimName, "pending:theirs")
	if _, err := f.instance(t, f.flag, c).Trigger(t.Context(), request(withKey)); !errors.Is(err, trigger.ErrBusy) {
		t.Errorf("while the platform is at work: %v", err)
	}
	if says := db.Get(t.Context(), claimName).Val(); says != "pending:theirs" {
		t.Errorf("the platform's claim is now %q", says)
	}

	id := f.mint.Mint(runid.V2)
	run, err := f.store.Create(t.Context(), runstore.NewRun{ID: id, EnvironmentID: ours.ID, ProjectID: "p", TaskIdentifier: "task", Payload: "{}", IdempotencyKey: ptr("key")})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan trigger.Result)
	go func() {
		r, err := f.Trigger(t.Context(), request(withKey))
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	set(claimName, run.FriendlyID)
	if r := <-got; !r.IsCached || r.ID != run.ID || r.Run == nil {
		t.Errorf("after the platform's trigger: %+v", r)
	}

	// A claim that leads to a run which nobody has: the run was lost.
	for _, lost := range []string{"run_" + f.mint.Mint(runid.V2), "run_" + f.mint.Mint(runid.Legacy), "nonsense", "run_\x00"} {
		set(claimName, lost)
		f.exec(t, run, `"idempotencyKey" = NULL`)
		run = f.make(t, request(withKey))
	}
}

// A run that is in the platform's buffer is a run: it is not made a second time,
// until its key has expired or was reset.
func TestBufferedRuns(t *testing.T) {
	f, db := onRedis(t)
	id := "run_" + f.mint.Mint(runid.V2)
	buffer := func(snapshot string) {
		t.Helper()
		db.Set(t.Context(), lookupName, id, 0)
		if err := db.HSet(t.Context(), "mollifier:entries:"+id, "payload", snapshot).Err(); err != nil {
			t.Fatal(err)
		}
	}
	buffer(`{"idempotencyKey":"key"}`)
	for _, published := range []bool{false, true} { // the second is told by the slot
		got, err := f.Trigger(t.Context(), request(withKey))
		if err != nil || !got.IsCached || got.FriendlyID != id || got.ID != id[4:] || got.Run != nil {
			t.Errorf("published %v: %+v, %v", published, got, err)
		}
	}
	if n := f.count(t, "true"); n != 0 {
		t.Errorf("%d runs", n)
	}
	// A parent waits for a row: until there is one it is told to come again, and no
	// second run is made.
	parent := f.make(t, request())
	waiting := func(r *trigger.Request) { r.ParentRun, r.ResumeParent = parent.FriendlyID, true }
	for _, published := range []bool{true, false} {
		if !published {
			db.Del(t.Context(), claimName)
		}
		if got, err := f.Trigger(t.Context(), request(withKey, waiting)); !errors.Is(err, trigger.ErrBuffered) || got.FriendlyID != "" {
			t.Errorf("a parent waits, published %v: %+v, %v", published, got, err)
		}
	}
	if n := f.count(t, "true"); n != 1 {
		t.Errorf("%d runs", n)
	}
	if n, err := f.ResetIdempotencyKey(t.Context(), ours.ID, "task", "key"); n != 1 || err != nil {
		t.Errorf("reset: %d, %v", n, err)
	}
	run := f.make(t, request(withKey, waiting))
	f.exec(t, run, `"idempotencyKey" = NULL`)
	buffer(`{"idempotencyKey":"key","idempotencyKeyExpiresAt":"2020-01-01T00:00:00.000Z"}`)
	f.make(t, request(withKey))
}

// A reset frees the key in both tables and in Redis.
func TestReset(t *testing.T) {
	f, db := onRedis(t)
	var notFound *trigger.NotFoundError
	if _, err := f.ResetIdempotencyKey(t.Context(), ours.ID, "task", "key"); !errors.As(err, &notFound) {
		t.Errorf("of a key that nobody has: %v", err)
	}
	for _, table := range runid.Tables() {
		first := f.at(table).make(t, request(withKey))
		if n, err := f.ResetIdempotencyKey(t.Context(), theirs.ID, "task", "key"); !errors.As(err, &notFound) {
			t.Errorf("abroad: %d, %v", n, err)
		}
		if n, err := f.ResetIdempotencyKey(t.Context(), ours.ID, "task", "key"); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if keys := db.Keys(t.Context(), "*").Val(); len(keys) != 0 {
			t.Errorf("Redis has %q", keys)
		}
		if second := f.make(t, request(withKey)); second.ID == first.ID {
			t.Error("the first run has the key still")
		}
		if _, err := f.ResetIdempotencyKey(t.Context(), ours.ID, "task", "key"); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"a\x00", "\xff"} {
		var invalid *trigger.InvalidError
		if _, err := f.ResetIdempotencyKey(t.Context(), ours.ID, "task", bad); !errors.As(err, &invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A token that was used in one table is used in the other, and abroad.
func TestTokensAreUsedOnce(t *testing.T) {
	f, db := onRedis(t)
	withToken := func(r *trigger.Request) { r.OneTimeUseToken = "token" }
	f.at(runid.Legacy).make(t, request(withToken))
	for _, table := range runid.Tables() {
		for _, remembered := range []bool{true, false} {
			if !remembered {
				db.FlushAll(t.Context())
			}
			if _, err := f.at(table).Trigger(t.Context(), request(withToken)); !errors.Is(err, trigger.ErrTokenUsed) {
				t.Errorf("%s, remembered %v: %v", table, remembered, err)
			}
			if _, err := f.at(table).Trigger(t.Context(), request(withToken, withKey)); !errors.Is(err, trigger.ErrTokenUsed) {
				t.Errorf("%s, with a key: %v", table, err)
			}
		}
	}
	f.make(t, request(withKey)) // the refusals have left it free
	if n := f.count(t, "true"); n != 2 {
		t.Errorf("%d runs, not 2", n)
	}
}
