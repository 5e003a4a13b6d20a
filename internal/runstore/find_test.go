package runstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Who names a run asks the one table that its id's format says, once, and not the
// other, whether the run is there or not.
func TestFindAsksOneTableOnce(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		run := f.create(t, f.newRun(table))
		for _, id := range []string{run.ID, f.mint.Mint(table)} { // there, and not there
			named := friendly(t, runid.FormatRun(id))
			for name, find := range map[string]func() (string, error){
				"FindByID": func() (string, error) {
					run, err := f.store.FindByID(t.Context(), runstore.Key{EnvironmentID: env, ID: id})
					return run.ID, err
				},
				"FindByFriendlyID": func() (string, error) {
					run, err := f.store.FindByFriendlyID(t.Context(), env, named)
					return run.ID, err
				},
				"FindRefByFriendlyID": func() (string, error) {
					ref, err := f.store.FindRefByFriendlyID(t.Context(), env, named)
					return ref.ID, err
				},
			} {
				f.asked.take()
				found, err := find()
				if there := id == run.ID; there && (err != nil || found != id) || !there && !errors.Is(err, runstore.ErrNotFound) {
					t.Errorf("%s of %s: found %q, %v", name, id, found, err)
				}
				sql := f.asked.take()
				if len(sql) != 1 || !strings.Contains(sql[0], "FROM public."+table.SQL()) || strings.Contains(sql[0], (1-table).SQL()) {
					t.Errorf("%s of %s asked %q", name, id, sql)
				}
			}
		}
	})
}

// The oldest runs have friendly ids that do not hold their id.
func TestFindOldFriendlyID(t *testing.T) {
	f := newFixture(t)
	r := f.newRun(runid.Legacy)
	r.FriendlyID = "run_p4kqz18xtbmfd9uwhy32c" // 21 characters
	if got := f.read(t, f.create(t, r)); got.ID != r.ID {
		t.Errorf("found %s, want %s", got.ID, r.ID)
	}
}

func TestOtherEnvironment(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		run := f.create(t, f.newRun(table))
		id, theirs := friendly(t, run.FriendlyID), runstore.Key{EnvironmentID: other, ID: run.ID}
		ctx := t.Context()
		for name, err := range map[string]error{
			"find":     func() error { _, err := f.store.FindByFriendlyID(ctx, other, id); return err }(),
			"find ref": func() error { _, err := f.store.FindRefByFriendlyID(ctx, other, id); return err }(),
			"nowhere":  func() error { _, err := f.store.FindByFriendlyID(ctx, "", id); return err }(),
			"lock":     func() error { _, err := f.store.LockToWorker(ctx, theirs, runstore.Lock{}); return err }(),
			"start":    func() error { _, err := f.store.StartAttempt(ctx, theirs, runstore.Attempt{Number: 1}); return err }(),
			"complete": func() error {
				_, err := f.store.CompleteAttemptSuccess(ctx, theirs, runstore.Success{})
				return err
			}(),
			"retry":   func() error { _, err := f.store.RecordRetryOutcome(ctx, theirs, runstore.Retry{}); return err }(),
			"requeue": func() error { _, err := f.store.Requeue(ctx, theirs); return err }(),
			"fail": func() error {
				_, err := f.store.FailPermanently(ctx, theirs, runstore.Failure{Status: runstore.Crashed})
				return err
			}(),
			"cancel":   func() error { _, err := f.store.Cancel(ctx, theirs, runstore.Cancellation{}); return err }(),
			"expire":   func() error { _, err := f.store.Expire(ctx, theirs, runstore.Expiry{}); return err }(),
			"metadata": func() error { _, err := f.store.UpdateMetadata(ctx, theirs, runstore.MetadataUpdate{}); return err }(),
			"tags":     func() error { _, err := f.store.PushTags(ctx, theirs, []string{"a"}); return err }(),
			"find id":  func() error { _, err := f.store.FindByID(ctx, theirs); return err }(),
			"find one": func() error {
				_, err := f.store.FindOne(ctx, other, runstore.Filter{IDs: []string{run.ID}})
				return err
			}(),
			"suspend":    func() error { _, err := f.store.SuspendForCheckpoint(ctx, theirs); return err }(),
			"resume":     func() error { _, err := f.store.ResumeFromCheckpoint(ctx, theirs); return err }(),
			"finalize":   func() error { _, err := f.store.Finalize(ctx, theirs, runstore.Final{}); return err }(),
			"bulk":       func() error { _, err := f.store.RecordBulkAction(ctx, theirs, "b"); return err }(),
			"park":       func() error { _, err := f.store.ParkPendingVersion(ctx, theirs, "r"); return err }(),
			"reschedule": func() error { _, err := f.store.Reschedule(ctx, theirs, f.clock.at, nil); return err }(),
			"enqueue":    func() error { _, err := f.store.EnqueueDelayed(ctx, theirs, f.clock.at); return err }(),
			"rewrite": func() error {
				_, err := f.store.RewriteDebounced(ctx, theirs, runstore.Debounced{Payload: "{}"})
				return err
			}(),
			"stream": func() error { _, err := f.store.PushRealtimeStream(ctx, theirs, "s"); return err }(),
			"none of many": func() error {
				n, err := f.store.ExpireMany(ctx, []runstore.Key{theirs}, runstore.Expiry{})
				if n != 0 {
					return fmt.Errorf("%d were expired", n)
				}
				return errors.Join(err, runstore.ErrNotFound)
			}(),
			"no key": func() error {
				n, err := f.store.ClearIdempotencyKeys(ctx, other, []runid.Friendly{id})
				if n != 0 {
					return fmt.Errorf("%d were cleared", n)
				}
				return errors.Join(err, runstore.ErrNotFound)
			}(),
		} {
			if !errors.Is(err, runstore.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff(run, f.read(t, run)); diff != "" {
			t.Errorf("the run was changed from another environment:\n%s", diff)
		}
	})
}

func TestFindRef(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		ours := f.mint.Mint(runid.Legacy)
		theirs := f.mint.Mint(runid.Legacy)
		for id, e := range map[string]string{ours: env, theirs: other} {
			if _, err := f.store.CreateBatch(t.Context(), runstore.NewBatch{ID: id, EnvironmentID: e}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			batch  *string
			friend *string
		}{{nil, nil}, {&ours, ptr("batch_" + ours)}, {&theirs, nil}, {ptr("gone"), nil}} {
			r := f.newRun(table)
			r.Tags, r.BatchID = []string{"a", "b"}, c.batch
			run := f.create(t, r)
			got, err := f.store.FindRefByFriendlyID(t.Context(), env, friendly(t, run.FriendlyID))
			if err != nil {
				t.Fatal(err)
			}
			want := runstore.Ref{ID: r.ID, FriendlyID: run.FriendlyID, EnvironmentID: env, TaskIdentifier: "task", Tags: r.Tags, BatchID: c.batch, BatchFriendlyID: c.friend}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if got.Table() != table {
				t.Errorf("it is in %v", got.Table())
			}
		}
	})
}

func TestReplica(t *testing.T) {
	primary, atPrimary := newPool(t, pgtest.Database(t))
	replica, atReplica := newPool(t, pgtest.Database(t)) // a replica that is behind by everything
	store, err := runstore.New(runstore.Config{Primary: primary, Replica: replica})
	if err != nil {
		t.Fatal(err)
	}
	onReplica, err := runstore.New(runstore.Config{Primary: replica})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{store: store, mint: runid.NewMinter(runid.MinterConfig{})}
	for _, table := range runid.Tables() {
		run := f.create(t, f.newRun(table))
		if sql := atReplica.take(); len(sql) != 0 {
			t.Errorf("the replica was asked to write: %q", sql)
		}
		atPrimary.take()
		if got := f.read(t, run); got.ID != run.ID {
			t.Errorf("found %s", got.ID)
		}
		if r, p := atReplica.take(), atPrimary.take(); len(r) != 1 || len(p) != 1 {
			t.Errorf("for a run that the replica does not have: %d queries there, %d on the primary", len(r), len(p))
		}
		r := f.newRun(table)
		if _, err := onReplica.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		atReplica.take()
		if _, err := store.FindByFriendlyID(t.Context(), env, friendly(t, "run_"+r.ID)); err != nil {
			t.Error(err)
		}
		if r, p := atReplica.take(), atPrimary.take(); len(r) != 1 || len(p) != 0 {
			t.Errorf("for a run that the replica has: %d queries there, %d on the primary", len(r), len(p))
		}
		if _, err := store.In(primary).FindByFriendlyID(t.Context(), env, friendly(t, run.FriendlyID)); err != nil {
			t.Error(err)
		}
		if r, p := atReplica.take(), atPrimary.take(); len(r) != 0 || len(p) != 1 {
			t.Errorf("in a transaction: %d queries on the replica, %d on the primary", len(r), len(p))
		}
	}
}

// A replica that is down takes nothing away, and one that is slow keeps no one
// who gave up.
func TestReplicaDown(t *testing.T) {
	f := newFixture(t)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil { // nobody listens there now
		t.Fatal(err)
	}
	replica, _ := newPool(t, "postgres://nobody@"+gone.Addr().String()+"/none")
	store, err := runstore.New(runstore.Config{Primary: f.pool, Replica: replica})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range runid.Tables() {
		run := f.create(t, f.newRun(table))
		if found, err := store.FindByFriendlyID(t.Context(), env, friendly(t, run.FriendlyID)); err != nil || found.ID != run.ID {
			t.Errorf("%v: with the replica down: %v", table, err)
		}
		if _, err := store.FindByFriendlyID(t.Context(), other, friendly(t, run.FriendlyID)); !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("%v: a miss with the replica down: %v", table, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := store.FindByFriendlyID(ctx, env, friendly(t, run.FriendlyID)); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: for who gave up: %v", table, err)
		}
	}
}

func TestBatch(t *testing.T) {
	f := newFixture(t)
	id := f.mint.Mint(runid.Legacy)
	made, err := f.store.CreateBatch(t.Context(), runstore.NewBatch{ID: id, EnvironmentID: env, RunIDs: []string{"run_a", "run_b"}, RunCount: 2, IdempotencyKey: ptr("k")})
	if err != nil {
		t.Fatal(err)
	}
	friend, err := runid.ParseBatch("batch_" + id)
	if err != nil {
		t.Fatal(err)
	}
	found, err := f.store.FindBatchByFriendlyID(t.Context(), env, friend)
	if err != nil {
		t.Fatal(err)
	}
	want := runstore.Batch{
		ID: id, FriendlyID: "batch_" + id, EnvironmentID: env, Status: runstore.BatchPending, CreatedAt: f.clock.at, UpdatedAt: f.clock.at,
		RunIDs: []string{"run_a", "run_b"}, RunCount: 2, BatchVersion: "runengine:v2", Sealed: true, SealedAt: ptr(f.clock.at), IdempotencyKey: ptr("k"),
	}
	if diff := cmp.Diff([]runstore.Batch{want, want}, []runstore.Batch{made, found}); diff != "" {
		t.Error(diff)
	}
	want.UpdatedAt = f.clock.tick()
	want.CompletedAt, want.Status, want.Successful, want.Failed = ptr(f.clock.at), runstore.BatchPartialFailed, ptr(int32(1)), ptr(int32(1))
	done, err := f.store.CompleteBatch(t.Context(), found.Key(), runstore.BatchOutcome{Status: runstore.BatchPartialFailed, Successful: 1, Failed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Error(diff)
	}
	asRun := friendly(t, "run_"+id)
	for name, err := range map[string]error{
		"theirs":       func() error { _, err := f.store.FindBatchByFriendlyID(t.Context(), other, friend); return err }(),
		"a run's id":   func() error { _, err := f.store.FindBatchByFriendlyID(t.Context(), env, asRun); return err }(),
		"a batch's id": func() error { _, err := f.store.FindByFriendlyID(t.Context(), env, friend); return err }(),
		"no id":        func() error { _, err := f.store.FindByFriendlyID(t.Context(), env, runid.Friendly{}); return err }(),
		"complete": func() error {
			_, err := f.store.CompleteBatch(t.Context(), runstore.Key{EnvironmentID: other, ID: id}, runstore.BatchOutcome{Status: runstore.BatchAborted})
			return err
		}(),
		"not there": func() error {
			b, _ := runid.ParseBatch("batch_x")
			_, err := f.store.FindBatchByFriendlyID(t.Context(), env, b)
			return err
		}(),
	} {
		if !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = f.store.CreateBatch(t.Context(), runstore.NewBatch{ID: f.mint.Mint(runid.Legacy), EnvironmentID: env, IdempotencyKey: ptr("k")})
	var unique *runstore.UniqueError
	if !errors.As(err, &unique) || unique.Unique != runstore.UniqueIdempotencyKey {
		t.Errorf("the same key again: %v", err)
	}
}

// Each table is looked into by itself, for the environments that were asked for.
func TestEnvironmentsWithRuns(t *testing.T) {
	for _, table := range runid.Tables() {
		f := newFixture(t)
		f.create(t, f.newRun(table))
		f.create(t, f.newRun(table))
		f.asked.take()
		for _, asked := range [][2][]string{{{env}, {env}}, {{env, other, ""}, {other, env}}, {nil, {env}}, {{env}, nil}, {nil, nil}} {
			var want [2][]string
			if slices.Contains(asked[table], env) {
				want[table] = []string{env}
			}
			got, err := f.store.EnvironmentsWithRuns(t.Context(), asked)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v: %s", asked, diff)
			}
			if sql := f.asked.take(); len(sql) != 1 {
				t.Errorf("it asked %q", sql)
			}
		}
	}
}

// An open batch gets its runs once, and only in its own environment; who could not
// make a batch because of its key finds the one that has it.
func TestOpenBatch(t *testing.T) {
	f := newFixture(t)
	id := f.mint.Mint(runid.Legacy)
	made, err := f.store.CreateBatch(t.Context(), runstore.NewBatch{ID: id, EnvironmentID: env, RunCount: 2, IdempotencyKey: ptr("open"), Open: true})
	if err != nil || made.Sealed || made.SealedAt != nil || len(made.RunIDs) != 0 {
		t.Fatalf("an open batch is %+v, %v", made, err)
	}
	if _, err := f.store.SealBatch(t.Context(), runstore.Key{EnvironmentID: other, ID: id}, []string{"run_x"}); !errors.Is(err, runstore.ErrNotFound) {
		t.Errorf("another environment seals it: %v", err)
	}
	sealed, err := f.store.SealBatch(t.Context(), made.Key(), []string{"run_a", "run_b"})
	if err != nil || !sealed.Sealed || sealed.SealedAt == nil || !slices.Equal(sealed.RunIDs, []string{"run_a", "run_b"}) {
		t.Errorf("a sealed batch is %+v, %v", sealed, err)
	}
	if _, err := f.store.SealBatch(t.Context(), made.Key(), nil); !errors.Is(err, runstore.ErrNotFound) {
		t.Errorf("it is sealed twice: %v", err)
	}
	found, err := f.store.FindBatchByIdempotencyKey(t.Context(), env, "open")
	if err != nil || found.ID != id || !slices.Equal(found.RunIDs, sealed.RunIDs) {
		t.Errorf("by its key there is %+v, %v", found, err)
	}
	for of, key := range map[string]string{other: "open", env: "closed"} {
		if _, err := f.store.FindBatchByIdempotencyKey(t.Context(), of, key); !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("key %s of %s: %v", key, of, err)
		}
	}
}
