package runstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func TestCreateOver(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		why, then := runstore.StringError("stop"), at(-9)
		for name, c := range map[string]struct {
			create func(r runstore.NewRun) (runstore.Run, error)
			want   func(r *runstore.Run)
		}{
			"canceled": {func(r runstore.NewRun) (runstore.Run, error) {
				return f.store.CreateCancelled(t.Context(), r, runstore.Ending{Error: why})
			}, func(r *runstore.Run) {
				r.Status, r.CompletedAt, r.AttemptNumber = runstore.Canceled, ptr(f.clock.now()), ptr(int32(0))
			}},
			"failed": {func(r runstore.NewRun) (runstore.Run, error) {
				return f.store.CreateFailed(t.Context(), r, runstore.Ending{CompletedAt: then, Error: why})
			}, func(r *runstore.Run) { r.Status, r.CompletedAt = runstore.SystemFailure, &then }},
		} {
			r := f.newRun(table)
			want := f.create(t, r)
			r = f.newRun(table)
			want.ID, want.FriendlyID, want.Error = r.ID, "run_"+r.ID, stored(why)
			c.want(&want)
			f.asked.take()
			got, err := c.create(r)
			if err != nil || len(f.asked.take()) != 1 {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]runstore.Run{want, want}, []runstore.Run{got, f.read(t, got)}); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			var unique *runstore.UniqueError
			if _, err := c.create(r); !errors.As(err, &unique) || unique.Unique != runstore.UniqueID {
				t.Errorf("%s again: %v", name, err)
			}
		}
	})
}

func TestOtherChanges(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		ctx, s, then := t.Context(), f.store, at(77)
		r := f.newRun(table)
		r.Status, r.Tags, r.Metadata = runstore.Delayed, []string{"a"}, ptr("{}")
		run := f.create(t, r)
		key := run.Key()
		change := func(do func() (runstore.Run, error), want func(r *runstore.Run)) {
			t.Helper()
			run = step(t, f, run, do, want)
		}

		change(func() (runstore.Run, error) { return s.Reschedule(ctx, key, then, nil) }, func(r *runstore.Run) { r.DelayUntil = &then })
		change(func() (runstore.Run, error) { return s.Reschedule(ctx, key, then, &then) }, func(r *runstore.Run) { r.QueueTimestamp = &then })
		change(func() (runstore.Run, error) { return s.Reschedule(ctx, key, at(5), nil) }, func(r *runstore.Run) { r.DelayUntil = ptr(at(5)) })
		change(func() (runstore.Run, error) { return s.RewriteDebounced(ctx, key, runstore.Debounced{Payload: "1"}) }, func(r *runstore.Run) { r.Payload = "1" })
		change(func() (runstore.Run, error) {
			return s.RewriteDebounced(ctx, key, runstore.Debounced{
				Payload: "2", PayloadType: "text/x", Metadata: ptr("m"), MetadataType: ptr("text/y"), MaxAttempts: ptr(int32(4)), MaxDurationInSeconds: ptr(int32(5)),
				MachinePreset: ptr("large-1x"), Tags: []string{},
			})
		}, func(r *runstore.Run) {
			r.Payload, r.PayloadType, r.Metadata, r.MetadataType, r.MaxAttempts, r.MaxDurationInSeconds = "2", "text/x", ptr("m"), "text/y", ptr(int32(4)), ptr(int32(5))
			r.MachinePreset, r.Tags = ptr("large-1x"), []string{}
		})
		change(func() (runstore.Run, error) { return s.EnqueueDelayed(ctx, key, then) }, func(r *runstore.Run) { r.Status, r.QueuedAt = runstore.Pending, &then })
		change(func() (runstore.Run, error) { return s.ParkPendingVersion(ctx, key, "no worker") }, func(r *runstore.Run) {
			r.Status, r.StatusReason = runstore.PendingVersion, ptr("no worker")
		})
		change(func() (runstore.Run, error) { return s.ResumeFromCheckpoint(ctx, key) }, func(r *runstore.Run) { r.Status = runstore.Executing })
		change(func() (runstore.Run, error) { return s.SuspendForCheckpoint(ctx, key) }, func(r *runstore.Run) { r.Status = runstore.WaitingToResume })
		change(func() (runstore.Run, error) { return s.PushRealtimeStream(ctx, key, "s") }, func(r *runstore.Run) { r.RealtimeStreams = []string{"s"} })
		change(func() (runstore.Run, error) { return s.PushRealtimeStream(ctx, key, "s") }, func(r *runstore.Run) { r.RealtimeStreams = []string{"s", "s"} })
		change(func() (runstore.Run, error) { return s.RecordBulkAction(ctx, key, "b") }, func(r *runstore.Run) { r.BulkActionGroupIDs = []string{"b"} })
		retries := json.RawMessage(`{"maxAttempts": 3}`)
		change(func() (runstore.Run, error) {
			return s.LockToWorker(ctx, key, runstore.Lock{LockedByID: "w", LockedToVersionID: "v", LockedAt: then, RetryConfig: retries})
		}, func(r *runstore.Run) {
			r.Status, r.LockedAt, r.StartedAt, r.LockedByID, r.LockedToVersionID, r.LockedRetryConfig = runstore.Dequeued, &then, &then, ptr("w"), ptr("v"), retries
		})
		change(func() (runstore.Run, error) { return s.Finalize(ctx, key, runstore.Final{}) }, func(*runstore.Run) {})
		why := runstore.StringError("stop")
		change(func() (runstore.Run, error) {
			return s.Finalize(ctx, key, runstore.Final{Status: runstore.Expired, CompletedAt: &then, ExpiredAt: &then, Error: why, BulkActionID: "c"})
		}, func(r *runstore.Run) {
			r.Status, r.CompletedAt, r.ExpiredAt, r.Error, r.BulkActionGroupIDs = runstore.Expired, &then, &then, stored(why), []string{"b", "c"}
		})
	})
}

// A run that waits for a version is promoted, or expires, once.
func TestPendingVersion(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		ctx, s := t.Context(), f.store
		why := runstore.StringError("stop")
		promote := func(key runstore.Key) (bool, error) {
			return s.PromotePendingVersion(ctx, key, runstore.Promotion{LockedToVersionID: ptr("v"), TaskVersion: ptr("1"), SDKVersion: ptr("2"), CLIVersion: ptr("3")})
		}
		expire := func(key runstore.Key) (bool, error) {
			return s.ExpireParked(ctx, key, runstore.ParkedExpiry{Reason: "too late", Error: why})
		}
		for _, c := range []struct {
			do   func(key runstore.Key) (bool, error)
			want func(r *runstore.Run)
		}{
			{promote, func(r *runstore.Run) {
				r.Status, r.LockedToVersionID, r.TaskVersion, r.SDKVersion, r.CLIVersion = runstore.Pending, ptr("v"), ptr("1"), ptr("2"), ptr("3")
			}},
			{expire, func(r *runstore.Run) {
				r.Status, r.StatusReason, r.CompletedAt, r.ExpiredAt, r.Error = runstore.Expired, ptr("too late"), ptr(f.clock.now()), ptr(f.clock.now()), stored(why)
			}},
		} {
			run := f.create(t, f.newRun(table))
			if did, err := c.do(run.Key()); did || err != nil || !f.read(t, run).UpdatedAt.Equal(run.UpdatedAt) {
				t.Errorf("to a run that does not wait: %v, %v", did, err)
			}
			run, err := s.ParkPendingVersion(ctx, run.Key(), "r")
			if err != nil {
				t.Fatal(err)
			}
			if did, err := c.do(runstore.Key{EnvironmentID: other, ID: run.ID}); did || err != nil {
				t.Errorf("from another environment: %v, %v", did, err)
			}
			run.UpdatedAt = f.clock.tick()
			c.want(&run)
			f.asked.take()
			if did, err := c.do(run.Key()); !did || err != nil || len(f.asked.take()) != 1 {
				t.Errorf("to a run that waits: %v, %v", did, err)
			}
			if diff := cmp.Diff(run, f.read(t, run)); diff != "" {
				t.Error(diff)
			}
		}
		parked, err := s.ParkPendingVersion(ctx, f.create(t, f.newRun(table)).Key(), "r")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var done atomic.Int32
		for i := range 6 {
			wg.Go(func() {
				did, err := []func(runstore.Key) (bool, error){promote, expire}[i%2](parked.Key())
				if err != nil {
					t.Error(err)
				}
				if did {
					done.Add(1)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 {
			t.Errorf("%d did it", done.Load())
		}
	})
}

func TestExpireMany(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		runs := c.many(5, t, func(i int, r *runstore.NewRun) {
			if i == 3 {
				r.EnvironmentID = c.other
			}
		})
		keys := []runstore.Key{{EnvironmentID: c.env, ID: "gone"}, {EnvironmentID: c.other, ID: runs[4].ID}}
		for _, run := range runs[:4] { // all but the last, of two environments
			keys = append(keys, run.Key())
		}
		now := c.clock.tick()
		why := runstore.StringError("stop")
		c.asked.take()
		if n, err := c.store.ExpireMany(t.Context(), keys, runstore.Expiry{At: at(1), Error: why}); err != nil || n != 4 {
			t.Fatalf("%d expired, %v", n, err)
		}
		if sql := c.asked.take(); len(sql) != 1 {
			t.Errorf("it took %d statements", len(sql))
		}
		for i, want := range runs {
			if i < 4 {
				want.UpdatedAt, want.Status, want.CompletedAt, want.ExpiredAt, want.Error = now, runstore.Expired, ptr(at(1)), ptr(at(1)), stored(why)
			}
			got, err := c.store.FindByID(t.Context(), want.Key())
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%d: %v\n%s", i, err, diff)
			}
		}
		c.asked.take()
		if n, err := c.store.ExpireMany(t.Context(), nil, runstore.Expiry{}); err != nil || n != 0 || len(c.asked.take()) != 0 {
			t.Errorf("of none %d expired, %v", n, err)
		}
	})
}

func TestClearIdempotencyKey(t *testing.T) {
	f := newFixture(t)
	ctx, s := t.Context(), f.store
	then := at(60)
	with := func(table runid.Table, e, task, key string) runstore.Run {
		r := f.newRun(table)
		r.EnvironmentID, r.TaskIdentifier, r.IdempotencyKey, r.IdempotencyKeyExpiresAt = e, task, &key, &then
		return f.create(t, r)
	}
	has := func(run runstore.Run, key, expiry bool) {
		t.Helper()
		now, err := s.FindByID(ctx, run.Key())
		if err != nil || (now.IdempotencyKey != nil) != key || (now.IdempotencyKeyExpiresAt != nil) != expiry || now.UpdatedAt.Equal(run.UpdatedAt) == !key {
			t.Errorf("%v: it has %v until %v, %v", run.Table(), now.IdempotencyKey, now.IdempotencyKeyExpiresAt, err)
		}
	}
	f.clock.tick()
	var twins, pair []runstore.Run
	for _, table := range runid.Tables() {
		run := with(table, env, "task", "one")
		f.clock.tick()
		for key, want := range map[runstore.Key]bool{{EnvironmentID: other, ID: run.ID}: false, run.Key(): true} {
			if did, err := s.ClearIdempotencyKey(ctx, key, "another"); did || err != nil {
				t.Errorf("another key: %v, %v", did, err)
			}
			if did, err := s.ClearIdempotencyKey(ctx, key, "one"); did != want || err != nil {
				t.Errorf("%v: %v, %v", key, did, err)
			}
		}
		has(run, false, false)
		twins = append(twins, with(table, env, "task", "twin"))
		pair = append(pair, with(table, env, "task", "pair of "+table.String()))
	}
	bystanders := []runstore.Run{with(runid.V2, other, "task", "twin"), with(runid.Legacy, env, "another", "twin")}
	f.clock.tick()
	f.asked.take()
	if n, err := s.ClearIdempotencyKeyOfTask(ctx, env, "task", "twin"); n != 2 || err != nil || len(f.asked.take()) != 1 {
		t.Errorf("%d were cleared, %v", n, err)
	}
	for i := range twins {
		has(twins[i], false, false)
		has(bystanders[i], true, true)
	}
	ids := []runid.Friendly{friendly(t, "run_gone"), friendly(t, bystanders[0].FriendlyID)}
	for _, run := range pair {
		ids = append(ids, friendly(t, run.FriendlyID))
	}
	f.asked.take()
	if n, err := s.ClearIdempotencyKeys(ctx, env, ids); n != 2 || err != nil || len(f.asked.take()) != 1 {
		t.Errorf("%d were cleared, %v", n, err)
	}
	for i := range pair {
		has(pair[i], false, true)
		has(bystanders[i], true, true)
	}
	if n, err := s.ClearIdempotencyKeys(ctx, env, nil); n != 0 || err != nil {
		t.Errorf("of none %d were cleared, %v", n, err)
	}
}

// What Postgres cannot keep is refused as such, nothing is written, and the
// error does not tell the value.
func TestRefusedValues(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		ctx, s := t.Context(), f.store
		run := f.create(t, f.newRun(table))
		create := func(change func(*runstore.NewRun)) error {
			r := f.newRun(table)
			change(&r)
			_, err := s.Create(ctx, r)
			if _, miss := s.FindByID(ctx, runstore.Key{EnvironmentID: env, ID: r.ID}); !errors.Is(miss, runstore.ErrNotFound) {
				t.Errorf("it was made all the same: %v", miss)
			}
			return err
		}
		for name, err := range map[string]error{
			"NUL":    create(func(r *runstore.NewRun) { r.Payload = "secret\x00" }),
			"UTF-8":  create(func(r *runstore.NewRun) { r.TaskIdentifier = "secret\xff" }),
			"JSON":   create(func(r *runstore.NewRun) { r.Context = json.RawMessage(`{"secret`) }),
			"u0000":  create(func(r *runstore.NewRun) { r.Context = json.RawMessage(`"secret\u0000"`) }),
			"status": create(func(r *runstore.NewRun) { r.Status = "secret" }),
			"key":    create(func(r *runstore.NewRun) { r.IdempotencyKey = ptr(strings.Repeat("secret", 2000)) }),
			"tag":    func() error { _, err := s.PushTags(ctx, run.Key(), []string{"secret\x00"}); return err }(),
			"filter": func() error {
				_, err := s.FindOne(ctx, env, runstore.Filter{AnyTag: []string{"secret\x00"}})
				return err
			}(),
			"finalize": func() error { _, err := s.Finalize(ctx, run.Key(), runstore.Final{Status: "secret"}); return err }(),
			"promotion": func() error {
				_, err := s.PromotePendingVersion(ctx, run.Key(), runstore.Promotion{Status: "secret"})
				return err
			}(),
			"debounced": func() error { _, err := s.RewriteDebounced(ctx, run.Key(), runstore.Debounced{}); return err }(),
			"friendly":  func() error { _, err := s.ClearIdempotencyKeys(ctx, env, []runid.Friendly{{}}); return err }(),
		} {
			var invalid *runstore.InvalidError
			if !errors.As(err, &invalid) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff(run, f.read(t, run)); diff != "" {
			t.Error(diff)
		}
		long := strings.Repeat("0123456789abcdef", 128) // as long as may be
		r := f.newRun(table)
		r.IdempotencyKey = &long
		f.create(t, r)
	})
}
