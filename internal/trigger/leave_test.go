package trigger_test

import (
	"context"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// watched tells of claims that found another at work.
type watched struct {
	claims.Claims
	pending chan struct{}
}

func (w *watched) Claim(ctx context.Context, slot claims.Slot, owner string, ttl time.Duration) (claims.Answer, error) {
	a, err := w.Claims.Claim(ctx, slot, owner, ttl)
	if err == nil && a.State == claims.Pending {
		select {
		case w.pending <- struct{}{}:
		default:
		}
	}
	return a, err
}

// A client leaves while its row is being written, in a database that does not give
// up the write: the row can be there later. The next trigger with the key, or token,
// waits for it, though the flag was turned, and there is one run.
func TestWhoLeavesIsWaitedFor(t *testing.T) {
	server := redistest.Start(t)
	c := &watched{shared(t, server), make(chan struct{}, 100)}
	f := newFixture(t, c)
	exec := func(sql string) {
		t.Helper()
		if _, err := f.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	// The insert waits for a lock, and a request to cancel it comes to nothing.
	exec(`
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
	for name, with := range map[string]func(*trigger.Request){
		"key": withKey, "token": func(r *trigger.Request) { r.OneTimeUseToken = "token" },
	} {
		t.Run(name, func(t *testing.T) {
			lock, err := f.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lock.Exec(t.Context(), `SELECT pg_advisory_xact_lock(7)`); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lock.Rollback(context.Background()) }()
			f.at(runid.Legacy)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			first, second := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(first)
				_, _ = f.Trigger(ctx, request(with)) // nobody is there to be told
			}()
			for held := false; !held; { // bounded by the test's own time
				if err := f.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&held); err != nil {
					t.Fatal(err)
				}
			}
			f.at(runid.V2)
			leave()
			go func() {
				defer close(second)
				_, _ = f.Trigger(t.Context(), request(with)) // the count says what came of it
			}()
			for range 20 { // looks, so that who releases has done so
				select {
				case <-c.pending:
				case <-second:
				}
			}
			if err := lock.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-first
			<-second
			for held := true; held; {
				if err := f.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid())`).Scan(&held); err != nil {
					t.Fatal(err)
				}
			}
			if n := f.count(t, `"idempotencyKey" = 'key' AND $1 = 'key' OR "oneTimeUseToken" = $1`, name); n != 1 {
				t.Errorf("%d runs", n)
			}
		})
	}
}
