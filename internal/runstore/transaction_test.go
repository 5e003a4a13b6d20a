package runstore_test

import (
	"context"
	"slices"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// writes are the store's methods that write, each of which changes something of a
// parked run with the idempotency key k, or of an open batch, or makes another.
func (f fixture) writes(ctx context.Context, s *runstore.Store, run runstore.Run, batch runstore.Batch) map[string]func() error {
	key, friend := run.Key(), parsed(run.FriendlyID)
	made := func(_ runstore.Run, err error) error { return err }
	did := func(_ bool, err error) error { return err }
	counted := func(_ int64, err error) error { return err }
	ofBatch := func(_ runstore.Batch, err error) error { return err }
	return map[string]func() error{
		"Create": func() error { return made(s.Create(ctx, f.newRun(run.Table()))) },
		"CreateCancelled": func() error {
			return made(s.CreateCancelled(ctx, f.newRun(run.Table()), runstore.Ending{}))
		},
		"CreateFailed":           func() error { return made(s.CreateFailed(ctx, f.newRun(run.Table()), runstore.Ending{})) },
		"LockToWorker":           func() error { return made(s.LockToWorker(ctx, key, runstore.Lock{})) },
		"StartAttempt":           func() error { return made(s.StartAttempt(ctx, key, runstore.Attempt{Number: 1})) },
		"CompleteAttemptSuccess": func() error { return made(s.CompleteAttemptSuccess(ctx, key, runstore.Success{})) },
		"RecordRetryOutcome":     func() error { return made(s.RecordRetryOutcome(ctx, key, runstore.Retry{})) },
		"Requeue":                func() error { return made(s.Requeue(ctx, key)) },
		"SuspendForCheckpoint":   func() error { return made(s.SuspendForCheckpoint(ctx, key)) },
		"ResumeFromCheckpoint":   func() error { return made(s.ResumeFromCheckpoint(ctx, key)) },
		"FailPermanently": func() error {
			return made(s.FailPermanently(ctx, key, runstore.Failure{Status: runstore.Crashed}))
		},
		"Cancel":                func() error { return made(s.Cancel(ctx, key, runstore.Cancellation{})) },
		"Finalize":              func() error { return made(s.Finalize(ctx, key, runstore.Final{Status: runstore.Expired})) },
		"Expire":                func() error { return made(s.Expire(ctx, key, runstore.Expiry{})) },
		"ExpireMany":            func() error { return counted(s.ExpireMany(ctx, []runstore.Key{key}, runstore.Expiry{})) },
		"RecordBulkAction":      func() error { return made(s.RecordBulkAction(ctx, key, "b")) },
		"ParkPendingVersion":    func() error { return made(s.ParkPendingVersion(ctx, key, "r")) },
		"PromotePendingVersion": func() error { return did(s.PromotePendingVersion(ctx, key, runstore.Promotion{})) },
		"ExpireParked":          func() error { return did(s.ExpireParked(ctx, key, runstore.ParkedExpiry{})) },
		"Reschedule":            func() error { return made(s.Reschedule(ctx, key, f.clock.at, nil)) },
		"EnqueueDelayed":        func() error { return made(s.EnqueueDelayed(ctx, key, f.clock.at)) },
		"RewriteDebounced":      func() error { return made(s.RewriteDebounced(ctx, key, runstore.Debounced{Payload: "{}"})) },
		"UpdateMetadata":        func() error { return did(s.UpdateMetadata(ctx, key, runstore.MetadataUpdate{Metadata: "{}"})) },
		"PushTags": func() error {
			_, err := s.PushTags(ctx, key, []string{"a"})
			return err
		},
		"PushRealtimeStream":        func() error { return made(s.PushRealtimeStream(ctx, key, "s")) },
		"ClearIdempotencyKey":       func() error { return did(s.ClearIdempotencyKey(ctx, key, "k")) },
		"ClearIdempotencyKeyOfTask": func() error { return counted(s.ClearIdempotencyKeyOfTask(ctx, env, run.TaskIdentifier, "k")) },
		"ClearIdempotencyKeys":      func() error { return counted(s.ClearIdempotencyKeys(ctx, env, []runid.Friendly{friend})) },
		"CreateBatch": func() error {
			return ofBatch(s.CreateBatch(ctx, runstore.NewBatch{ID: f.mint.Mint(runid.Legacy), EnvironmentID: env}))
		},
		"SealBatch": func() error { return ofBatch(s.SealBatch(ctx, batch.Key(), []string{run.FriendlyID})) },
		"CompleteBatch": func() error {
			return ofBatch(s.CompleteBatch(ctx, batch.Key(), runstore.BatchOutcome{Status: runstore.BatchAborted}))
		},
		"WithLocked": func() error {
			return s.WithLocked(ctx, key, func(in *runstore.Store, _ runstore.Run) error { return made(in.Requeue(ctx, key)) })
		},
	}
}

// Every write is part of the transaction that the store is in, with whatever else is
// written there, such as an execution snapshot: together they are seen from inside,
// and together they are gone.
func TestWritesInTransaction(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		if _, err := f.pool.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS snapshot (run text)`); err != nil {
			t.Fatal(err)
		}
		everything := func(db runstore.DB) (all string) {
			t.Helper()
			err := db.QueryRow(t.Context(), `
				SELECT string_agg(x::text, E'\n' ORDER BY x::text) FROM (
					SELECT to_jsonb(r) x FROM "TaskRun" r UNION ALL SELECT to_jsonb(r) FROM task_run_v2 r
					UNION ALL SELECT to_jsonb(b) FROM "BatchTaskRun" b UNION ALL SELECT to_jsonb(s) FROM snapshot s) all_rows`).Scan(&all)
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		r := f.newRun(table)
		r.IdempotencyKey, r.Status, r.TaskIdentifier = ptr("k"), runstore.PendingVersion, "task of "+table.String()
		run := f.create(t, r)
		batch, err := f.store.CreateBatch(t.Context(), runstore.NewBatch{ID: f.mint.Mint(runid.Legacy), EnvironmentID: env, Open: true})
		if err != nil {
			t.Fatal(err)
		}
		f.clock.tick()
		before := everything(f.pool)
		tried := []string{"In", "OnPrimary"}
		for name := range f.writes(t.Context(), f.store, run, batch) {
			tried = append(tried, name)
			tx, err := f.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `INSERT INTO snapshot VALUES ($1)`, run.ID); err != nil {
				t.Fatal(err)
			}
			beside := everything(tx)
			if err := f.writes(t.Context(), f.store.In(tx), run, batch)[name](); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if everything(tx) == beside {
				t.Errorf("%s changed nothing in its transaction", name)
			}
			if everything(f.pool) != before {
				t.Errorf("what %s wrote is seen from outside, before a commit", name)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if everything(f.pool) != before {
				t.Fatalf("of what %s wrote something is there after a rollback", name)
			}
		}
		for _, name := range notReads {
			if !slices.Contains(tried, name) {
				t.Errorf("%s is not tried in a transaction", name)
			}
		}
	})
}
