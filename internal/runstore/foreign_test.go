package runstore_test

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// notReads are the methods that give no rows but those they write, or none at all:
// TestOtherEnvironment has what a write finds of another environment.
var notReads = []string{
	"In", "OnPrimary",
	"Create", "CreateCancelled", "CreateFailed", "CreateBatch", "SealBatch", "CompleteBatch",
	"LockToWorker", "StartAttempt", "CompleteAttemptSuccess", "RecordRetryOutcome", "Requeue", "SuspendForCheckpoint", "ResumeFromCheckpoint",
	"FailPermanently", "Cancel", "Finalize", "Expire", "ExpireMany", "RecordBulkAction", "ParkPendingVersion", "PromotePendingVersion", "ExpireParked",
	"Reschedule", "EnqueueDelayed", "RewriteDebounced", "UpdateMetadata", "PushTags", "PushRealtimeStream",
	"ClearIdempotencyKey", "ClearIdempotencyKeyOfTask", "ClearIdempotencyKeys",
}

// TestNothingForeign: pointers to parents, roots and batches are plain values.
// Wherever they lead, whatever stale copies there are and however far a replica is
// behind, a read gives its environment's own rows that it is asked for, all of them
// and no others.
func TestNothingForeign(t *testing.T) {
	store := reflect.TypeFor[*runstore.Store]()
	tried := world{}.reads()
	for i := range store.NumMethod() {
		if name := store.Method(i).Name; (tried[name] == nil) != slices.Contains(notReads, name) {
			t.Errorf("%s is not tried, or is called no read and tried", name)
		}
	}
	eachCollation(t, func(t *testing.T, f fixture) {
		behind := fixtureAt(t, pgtest.Database(t))
		replicated, err := runstore.New(runstore.Config{Primary: f.pool, Replica: behind.pool, Now: f.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			w := world{ctx: context.Background(), store: f.store, copied: map[string]bool{}}
			var stores []*runstore.Store // that runs are made in, but for what a replica has not yet
			if rapid.Bool().Draw(t, "with a replica") {
				w.store, stores = replicated, append(stores, behind.store)
			}
			w.fill(t, f, append(stores, f.store))
			if len(stores) == 0 {
				w.listed = w.all
			}
			for name, read := range w.reads() {
				a, err := read()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if diff := gocmp.Diff(inOrder(a.want), inOrder(a.got)); diff != "" {
					t.Fatalf("%s in %s (-want +got):\n%s", name, w.env, diff)
				}
			}
		})
	})
}

func inOrder(rows []row) []row {
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.As, b.As), cmp.Compare(a.Env, b.Env), cmp.Compare(a.ID, b.ID))
	})
	return append([]row{}, rows...) // none is none
}

// fill makes runs and batches of three environments. The last of the stores is the
// primary's; one before it is of a replica, which has not every run.
func (w *world) fill(t *rapid.T, f fixture, stores []*runstore.Store) {
	unique := f.mint.Mint(runid.V2) // environments of this check alone
	envs := []string{"a" + unique, "b" + unique, "c" + unique}
	w.env = rapid.SampledFrom(envs).Draw(t, "reader")
	for range 2 {
		id := f.mint.Mint(runid.Legacy)
		b := runstore.NewBatch{ID: id, EnvironmentID: rapid.SampledFrom(envs).Draw(t, "batch's env"), IdempotencyKey: ptr("key of " + id)}
		for i, store := range stores {
			made, err := store.CreateBatch(w.ctx, b)
			if err != nil {
				t.Fatal(err)
			}
			if i == len(stores)-1 {
				w.batches = append(w.batches, made)
			}
		}
	}
	var ids []string
	for range rapid.IntRange(1, 8).Draw(t, "runs") {
		ids = append(ids, f.mint.Mint(rapid.SampledFrom(tables()).Draw(t, "table")))
	}
	pointer := rapid.Ptr(rapid.SampledFrom(append(slices.Clone(ids), "gone", f.mint.Mint(runid.V2))), true)
	few := func(name string) string { return rapid.SampledFrom([]string{"x", "y"}).Draw(t, name) }
	fewOrNone := func(name string) *string { return rapid.Ptr(rapid.SampledFrom([]string{"x", "y"}), true).Draw(t, name) }
	for _, id := range ids {
		r := f.newRun(runid.Legacy)
		r.ID, r.EnvironmentID = id, rapid.SampledFrom(envs).Draw(t, "env")
		r.ParentRunID, r.RootRunID = pointer.Draw(t, "parent"), pointer.Draw(t, "root")
		r.BatchID = rapid.Ptr(rapid.SampledFrom([]string{w.batches[0].ID, w.batches[1].ID}), true).Draw(t, "batch")
		r.IdempotencyKey, r.OneTimeUseToken = ptr("key of "+id), ptr("token of "+id)
		r.TaskIdentifier, r.Queue, r.WorkerQueue = rapid.SampledFrom([]string{"task", "x"}).Draw(t, "task"), few("queue"), few("worker queue")
		r.Region, r.MachinePreset, r.ScheduleID = fewOrNone("region"), fewOrNone("machine"), fewOrNone("schedule")
		r.Tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 0, 2, rapid.ID).Draw(t, "tags")
		r.IsTest, r.CreatedAt = rapid.Bool().Draw(t, "test"), at(rapid.IntRange(0, 2).Draw(t, "at"))
		version, bulk := fewOrNone("version"), fewOrNone("bulk")
		if len(stores) > 1 && rapid.Bool().Draw(t, "on the replica") {
			w.listed = append(w.listed, w.make(t, stores[0], r, version, bulk))
		}
		w.all = append(w.all, w.make(t, stores[len(stores)-1], r, version, bulk))
		if runid.Home(id) == runid.V2 && rapid.Bool().Draw(t, "copied") {
			w.copied[id] = true
			if _, err := f.pool.Exec(w.ctx, staleCopy, id, at(rapid.IntRange(0, 2).Draw(t, "copy at")).Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.a, w.b = rapid.SampledFrom(w.all).Draw(t, "a"), rapid.SampledFrom(w.all).Draw(t, "b")
}

// staleCopy leaves what a run of v2 may once have been in the other table. Nobody may
// see it: a filter may select it, and not the run.
const staleCopy = `
	INSERT INTO "TaskRun"
	SELECT (jsonb_populate_record(v, jsonb_build_object('status', 'PAUSED', 'runTags', ARRAY['x', 'y'], 'queue', 'x', 'createdAt', $2::timestamp,
		'taskIdentifier', 'task'))).* FROM task_run_v2 v WHERE id = $1`

// make makes a run, which a worker has locked and a bulk action has touched where
// those are given.
func (w *world) make(t *rapid.T, s *runstore.Store, r runstore.NewRun, version, bulk *string) runstore.Run {
	run, err := s.Create(w.ctx, r)
	if err == nil && version != nil {
		run, err = s.LockToWorker(w.ctx, run.Key(), runstore.Lock{TaskVersion: version})
	}
	if err == nil && bulk != nil {
		run, err = s.RecordBulkAction(w.ctx, run.Key(), *bulk)
	}
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func tables() []runid.Table {
	all := runid.Tables()
	return all[:]
}
