package runstore_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// step makes one change and checks that it changed what `want` says, "updatedAt",
// and nothing else, in one statement.
func step(t *testing.T, f fixture, run runstore.Run, change func() (runstore.Run, error), want func(r *runstore.Run)) runstore.Run {
	t.Helper()
	now := f.clock.tick()
	f.asked.take()
	got, err := change()
	if err != nil {
		t.Fatal(err)
	}
	if sql := f.asked.take(); len(sql) != 1 {
		t.Errorf("it took %d statements", len(sql))
	}
	run.UpdatedAt = now
	want(&run)
	if diff := cmp.Diff(run, got); diff != "" {
		t.Errorf("returned:\n%s", diff)
	}
	if diff := cmp.Diff(run, f.read(t, run)); diff != "" {
		t.Errorf("stored:\n%s", diff)
	}
	return got
}

func TestLifeOfASuccess(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		ctx, s := t.Context(), f.store
		run := f.create(t, f.newRun(table))
		key := run.Key()
		var first time.Time
		run = step(t, f, run, func() (runstore.Run, error) {
			first = f.clock.now()
			return s.LockToWorker(ctx, key, runstore.Lock{
				LockedByID: "w", LockedToVersionID: "v", LockedQueueID: ptr("q"), TaskVersion: ptr("1"), SDKVersion: ptr("4"), CLIVersion: ptr("4"),
				MachinePreset: ptr("small-1x"), MaxAttempts: ptr(int32(3)), MaxDurationInSeconds: ptr(int32(60)), BaseCostInCents: 0.25,
			})
		}, func(r *runstore.Run) {
			r.Status, r.LockedAt, r.StartedAt = runstore.Dequeued, &first, &first
			r.LockedByID, r.LockedToVersionID, r.LockedQueueID, r.TaskVersion, r.SDKVersion, r.CLIVersion = ptr("w"), ptr("v"), ptr("q"), ptr("1"), ptr("4"), ptr("4")
			r.MachinePreset, r.MaxAttempts, r.MaxDurationInSeconds, r.BaseCostInCents = ptr("small-1x"), ptr(int32(3)), ptr(int32(60)), 0.25
		})
		began := f.clock.now()
		run = step(t, f, run, func() (runstore.Run, error) {
			return s.StartAttempt(ctx, key, runstore.Attempt{Number: 1, ExecutedAt: &began, IsWarmStart: ptr(true)})
		}, func(r *runstore.Run) {
			r.Status, r.AttemptNumber, r.ExecutedAt, r.IsWarmStart = runstore.Executing, ptr(int32(1)), &began, ptr(true)
		})
		run = step(t, f, run, func() (runstore.Run, error) {
			return s.RecordRetryOutcome(ctx, key, runstore.Retry{MachinePreset: ptr("large-1x"), UsageDurationMs: 10, CostInCents: 1})
		}, func(r *runstore.Run) {
			r.Status, r.MachinePreset, r.UsageDurationMs, r.CostInCents = runstore.RetryingAfterFailure, ptr("large-1x"), 10, 1
		})
		run = step(t, f, run, func() (runstore.Run, error) { return s.Requeue(ctx, key) }, func(r *runstore.Run) { r.Status = runstore.Pending })
		// The second time it keeps when it was first started and executed.
		run = step(t, f, run, func() (runstore.Run, error) {
			return s.LockToWorker(ctx, key, runstore.Lock{LockedByID: "w2", LockedToVersionID: "v2", BaseCostInCents: 0.5})
		}, func(r *runstore.Run) {
			r.Status, r.LockedAt, r.LockedByID, r.LockedToVersionID, r.BaseCostInCents = runstore.Dequeued, ptr(f.clock.now()), ptr("w2"), ptr("v2"), 0.5
		})
		run = step(t, f, run, func() (runstore.Run, error) { return s.StartAttempt(ctx, key, runstore.Attempt{Number: 2}) },
			func(r *runstore.Run) { r.Status, r.AttemptNumber = runstore.Executing, ptr(int32(2)) })
		step(t, f, run, func() (runstore.Run, error) {
			return s.CompleteAttemptSuccess(ctx, key, runstore.Success{Output: ptr(`{"ok":true}`), OutputType: "application/super+json", UsageDurationMs: 30, CostInCents: 2.5})
		}, func(r *runstore.Run) {
			r.Status, r.CompletedAt, r.Output, r.OutputType = runstore.CompletedSuccessfully, ptr(f.clock.now()), ptr(`{"ok":true}`), "application/super+json"
			r.UsageDurationMs, r.CostInCents = 30, 2.5
		})
	})
}

// A final status comes with its error, in one statement.
func TestOtherEnds(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		ctx, s := t.Context(), f.store
		at := f.clock.now()
		why := runstore.BuiltInError("Error", `it broke: "x"`, "")
		t.Run("fail", func(t *testing.T) {
			run := f.create(t, f.newRun(table))
			step(t, f, run, func() (runstore.Run, error) {
				return s.FailPermanently(ctx, run.Key(), runstore.Failure{Status: runstore.CompletedWithErrors, CompletedAt: at, Error: why, UsageDurationMs: 3, CostInCents: 4})
			}, func(r *runstore.Run) {
				r.Status, r.CompletedAt, r.Error, r.UsageDurationMs, r.CostInCents = runstore.CompletedWithErrors, &at, stored(why), 3, 4
			})
			for _, status := range []runstore.Status{runstore.CompletedSuccessfully, runstore.Canceled, runstore.Pending, "", "NONSENSE"} {
				_, err := s.FailPermanently(ctx, run.Key(), runstore.Failure{Status: status})
				var invalid *runstore.InvalidError
				if !errors.As(err, &invalid) {
					t.Errorf("failed as %q: %v", status, err)
				}
			}
		})
		t.Run("cancel", func(t *testing.T) {
			run := f.create(t, f.newRun(table))
			run = step(t, f, run, func() (runstore.Run, error) {
				return s.Cancel(ctx, run.Key(), runstore.Cancellation{Error: runstore.StringError("stop")})
			}, func(r *runstore.Run) { r.Status, r.Error = runstore.Canceled, stored(runstore.StringError("stop")) })
			step(t, f, run, func() (runstore.Run, error) {
				return s.Cancel(ctx, run.Key(), runstore.Cancellation{CompletedAt: &at, Error: why, BulkActionID: ptr("bulk"), UsageDurationMs: ptr(int32(9)), CostInCents: ptr(1.5)})
			}, func(r *runstore.Run) {
				r.CompletedAt, r.Error, r.BulkActionGroupIDs, r.UsageDurationMs, r.CostInCents = &at, stored(why), []string{"bulk"}, 9, 1.5
			})
		})
		t.Run("expire", func(t *testing.T) {
			run := f.create(t, f.newRun(table))
			step(t, f, run, func() (runstore.Run, error) { return s.Expire(ctx, run.Key(), runstore.Expiry{Error: why}) },
				func(r *runstore.Run) {
					r.Status, r.CompletedAt, r.ExpiredAt, r.Error = runstore.Expired, ptr(f.clock.now()), ptr(f.clock.now()), stored(why)
				})
		})
	})
}

// stored is JSON as Postgres writes jsonb: keys by length, spaces after : and ,.
func stored(raw json.RawMessage) json.RawMessage {
	switch string(raw) {
	case `{"type":"STRING_ERROR","raw":"stop"}`:
		return json.RawMessage(`{"raw": "stop", "type": "STRING_ERROR"}`)
	case `{"type":"BUILT_IN_ERROR","name":"Error","message":"it broke: \"x\"","stackTrace":""}`:
		return json.RawMessage(`{"name": "Error", "type": "BUILT_IN_ERROR", "message": "it broke: \"x\"", "stackTrace": ""}`)
	}
	return raw
}

func TestUpdateMetadata(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		run := f.create(t, f.newRun(table))
		for _, c := range []struct {
			update  runstore.MetadataUpdate
			won     bool
			value   string
			version int32
		}{
			{runstore.MetadataUpdate{Metadata: `{"a":1}`, Expected: ptr(int32(1))}, true, `{"a":1}`, 2},
			{runstore.MetadataUpdate{Metadata: `{"a":2}`, Expected: ptr(int32(1))}, false, `{"a":1}`, 2},
			{runstore.MetadataUpdate{Metadata: `{"a":3}`}, true, `{"a":3}`, 3},
			{runstore.MetadataUpdate{Metadata: `{"a":4}`, Expected: ptr(int32(3)), Type: "application/x"}, true, `{"a":4}`, 4},
		} {
			before := f.read(t, run)
			now := f.clock.tick()
			won, err := f.store.UpdateMetadata(t.Context(), run.Key(), c.update)
			if err != nil || won != c.won {
				t.Fatalf("%+v: won is %v, %v", c.update, won, err)
			}
			if won {
				before.UpdatedAt = now
			}
			before.Metadata, before.MetadataVersion = &c.value, c.version
			if c.update.Type != "" {
				before.MetadataType = c.update.Type
			}
			if diff := cmp.Diff(before, f.read(t, run)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// Many writers that each read, change and write again when they lost: no change
// is lost.
func TestUpdateMetadataAtOnce(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		const writers, each = 4, 5
		r := f.newRun(table)
		r.Metadata = ptr("")
		run := f.create(t, r)
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for done := 0; done < each; {
					now, err := f.store.FindByFriendlyID(t.Context(), env, friendly(t, run.FriendlyID))
					if err != nil {
						t.Error(err)
						return
					}
					won, err := f.store.UpdateMetadata(t.Context(), run.Key(), runstore.MetadataUpdate{Metadata: *now.Metadata + "x", Expected: &now.MetadataVersion})
					if err != nil {
						t.Error(err)
						return
					}
					if won {
						done++
					}
				}
			})
		}
		wg.Wait()
		got := f.read(t, run)
		if len(*got.Metadata) != writers*each || got.MetadataVersion != 1+writers*each {
			t.Errorf("%d changes are in it, at version %d", len(*got.Metadata), got.MetadataVersion)
		}
	})
}

// Of many that each end a run unless it is over, one does.
func TestWithLocked(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		run := f.create(t, f.newRun(table))
		var wg sync.WaitGroup
		ended := make([]bool, 6)
		for i := range ended {
			wg.Go(func() {
				err := f.store.WithLocked(t.Context(), run.Key(), func(in *runstore.Store, now runstore.Run) error {
					if now.Status.Final() {
						return nil
					}
					_, err := in.Expire(t.Context(), now.Key(), runstore.Expiry{})
					ended[i] = err == nil
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		for _, did := range ended {
			if did {
				n++
			}
		}
		if n != 1 || f.read(t, run).Status != runstore.Expired {
			t.Errorf("%d ended it", n)
		}

		run = f.create(t, f.newRun(table))
		mine := errors.New("mine")
		err := f.store.WithLocked(t.Context(), run.Key(), func(in *runstore.Store, now runstore.Run) error {
			if _, err := in.Requeue(t.Context(), now.Key()); err != nil {
				return err
			}
			return mine
		})
		if !errors.Is(err, mine) || !f.read(t, run).UpdatedAt.Equal(run.UpdatedAt) {
			t.Errorf("after an error: %v", err)
		}
		theirs := runstore.Key{EnvironmentID: other, ID: run.ID}
		err = f.store.WithLocked(t.Context(), theirs, func(*runstore.Store, runstore.Run) error { t.Error("called"); return nil })
		if !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("from another environment: %v", err)
		}
	})
}

func TestPushTags(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		run := f.create(t, f.newRun(table)) // its tags are NULL
		for _, c := range []struct{ push, want []string }{
			{[]string{"a"}, []string{"a"}}, {[]string{"b", "a"}, []string{"a", "b", "a"}}, {nil, []string{"a", "b", "a"}},
		} {
			now := f.clock.tick()
			at, err := f.store.PushTags(t.Context(), run.Key(), c.push)
			if err != nil || !at.Equal(now) {
				t.Fatalf("at %v, want %v (%v)", at, now, err)
			}
			if got := f.read(t, run); !cmp.Equal(got.Tags, c.want) || !got.UpdatedAt.Equal(now) {
				t.Errorf("the tags are %q at %v", got.Tags, got.UpdatedAt)
			}
		}
	})
}

func TestStatus(t *testing.T) {
	for s, want := range map[runstore.Status][2]bool{ // final, failed
		runstore.Delayed: {}, runstore.Pending: {}, runstore.PendingVersion: {}, runstore.WaitingForDeploy: {}, runstore.Dequeued: {},
		runstore.Executing: {}, runstore.WaitingToResume: {}, runstore.RetryingAfterFailure: {}, runstore.Paused: {},
		runstore.Canceled: {true, false}, runstore.CompletedSuccessfully: {true, false},
		runstore.Interrupted: {true, true}, runstore.CompletedWithErrors: {true, true}, runstore.SystemFailure: {true, true},
		runstore.Crashed: {true, true}, runstore.Expired: {true, true}, runstore.TimedOut: {true, true},
	} {
		if got := [2]bool{s.Final(), s.Failed()}; got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}
