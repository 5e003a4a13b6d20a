package lookup_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/lookup"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	env   = "env_ours"
	other = "env_theirs"
)

// queries counts the statements of a pool.
type queries struct{ atomic.Int64 }

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.Add(1)
	return ctx
}

func (q *queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func newStore(t *testing.T) (*runstore.Store, *queries) {
	t.Helper()
	config, err := pgxpool.ParseConfig(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	q := &queries{}
	config.ConnConfig.Tracer = q
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	return store, q
}

func newFinder(t *testing.T, store lookup.Store, entries int) *lookup.Finder {
	t.Helper()
	f, err := lookup.New(lookup.Config{Store: store, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func runID(t *testing.T, text string) runid.Friendly {
	t.Helper()
	id, err := runid.ParseRun(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func batchID(t *testing.T, text string) runid.Friendly {
	t.Helper()
	id, err := runid.ParseBatch(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// 100 polls of a run in each table and of a batch cost one query each, and find
// what the store finds.
func TestPollsCostNoQuery(t *testing.T) {
	store, asked := newStore(t)
	f := newFinder(t, store, 0)
	mint := runid.NewMinter(runid.MinterConfig{})
	batch, err := store.CreateBatch(t.Context(), runstore.NewBatch{ID: mint.Mint(runid.Legacy), EnvironmentID: env, RunIDs: []string{"run_a", "run_b"}})
	if err != nil {
		t.Fatal(err)
	}
	poll := func(name string, wantErr error, want any, find func() (any, error)) {
		t.Helper()
		before := asked.Load()
		for range 100 {
			got, err := find()
			if !errors.Is(err, wantErr) {
				t.Fatalf("%s: %v, want %v", name, err, wantErr)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", name, diff)
			}
		}
		if n := asked.Load() - before; n != 1 {
			t.Errorf("%s: 100 polls cost %d queries, want 1", name, n)
		}
	}
	for _, table := range runid.Tables() {
		run, err := store.Create(t.Context(), runstore.NewRun{
			ID: mint.Mint(table), EnvironmentID: env, ProjectID: "p", TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s",
			Tags: []string{"a", "b"}, BatchID: &batch.ID,
		})
		if err != nil {
			t.Fatal(err)
		}
		id := runID(t, run.FriendlyID)
		poll(table.String(), nil, runstore.Ref{
			ID: run.ID, FriendlyID: run.FriendlyID, EnvironmentID: env, TaskIdentifier: "task", Tags: []string{"a", "b"},
			BatchID: &batch.ID, BatchFriendlyID: &batch.FriendlyID,
		}, func() (any, error) { return f.FindRefByFriendlyID(t.Context(), env, id) })
		poll(table.String()+" of another environment", runstore.ErrNotFound, runstore.Ref{},
			func() (any, error) { return f.FindRefByFriendlyID(t.Context(), other, id) })
	}
	id := batchID(t, batch.FriendlyID)
	bare := batch
	bare.RunIDs = nil
	poll("batch", nil, bare, func() (any, error) { return f.FindBatchByFriendlyID(t.Context(), env, id) })
	poll("batch of another environment", runstore.ErrNotFound, runstore.Batch{},
		func() (any, error) { return f.FindBatchByFriendlyID(t.Context(), other, id) })
}

// versions is a store in which everything changes with every question.
type versions struct {
	asked int
	err   error
}

func (v *versions) FindRefByFriendlyID(_ context.Context, env string, id runid.Friendly) (runstore.Ref, error) {
	v.asked++
	return runstore.Ref{ID: id.Suffix(), EnvironmentID: env, Tags: make([]string, v.asked)}, v.err
}

func (v *versions) FindBatchByFriendlyID(_ context.Context, env string, id runid.Friendly) (runstore.Batch, error) {
	v.asked++
	return runstore.Batch{ID: id.Suffix(), EnvironmentID: env, RunCount: int32(v.asked)}, v.err
}

func TestHowLongAnswersAreGivenAgain(t *testing.T) {
	run, batch := runID(t, "run_a"), batchID(t, "batch_a")
	for name, find := range map[string]func(context.Context, *lookup.Finder) error{
		"run": func(ctx context.Context, f *lookup.Finder) error {
			_, err := f.FindRefByFriendlyID(ctx, env, run)
			return err
		},
		"batch": func(ctx context.Context, f *lookup.Finder) error {
			_, err := f.FindBatchByFriendlyID(ctx, env, batch)
			return err
		},
	} {
		for _, c := range []struct {
			err   error
			wait  time.Duration
			again bool
		}{
			{nil, 5*time.Second - 1, false}, {nil, 5 * time.Second, true},
			{runstore.ErrNotFound, time.Second - 1, false}, {runstore.ErrNotFound, time.Second, true},
			{errors.New("connection refused"), 0, true},
		} {
			synctest.Test(t, func(t *testing.T) {
				v := &versions{err: c.err}
				f := newFinder(t, v, 0)
				for _, wait := range []time.Duration{0, c.wait} {
					time.Sleep(wait)
					if err := find(t.Context(), f); !errors.Is(err, c.err) {
						t.Errorf("%s: %v, want %v", name, err, c.err)
					}
				}
				if again := v.asked == 2; again != c.again {
					t.Errorf("%s, %v: asked again after %v: %v", name, c.err, c.wait, again)
				}
			})
		}
	}
}

func TestQuestionsAreToldApart(t *testing.T) {
	v := &versions{}
	f := newFinder(t, v, 0)
	for range 2 {
		for _, e := range []string{env, other} {
			for _, id := range []string{"a", "b"} {
				run, err := f.FindRefByFriendlyID(t.Context(), e, runID(t, "run_"+id))
				if err != nil || run.ID != id || run.EnvironmentID != e {
					t.Errorf("run %s of %s: %+v, %v", id, e, run, err)
				}
				batch, err := f.FindBatchByFriendlyID(t.Context(), e, batchID(t, "batch_"+id))
				if err != nil || batch.ID != id || batch.EnvironmentID != e {
					t.Errorf("batch %s of %s: %+v, %v", id, e, batch, err)
				}
			}
		}
	}
	if v.asked != 8 {
		t.Errorf("8 questions were asked %d times", v.asked)
	}
}

func TestFinderIsBounded(t *testing.T) {
	v := &versions{}
	f := newFinder(t, v, 1)
	for _, id := range []string{"run_a", "run_b", "run_a"} {
		if _, err := f.FindRefByFriendlyID(t.Context(), env, runID(t, id)); err != nil {
			t.Fatal(err)
		}
	}
	if v.asked != 3 {
		t.Errorf("asked %d times: a second run of one is still remembered", v.asked)
	}
}

func TestConfigWithoutStore(t *testing.T) {
	if _, err := lookup.New(lookup.Config{}); err == nil {
		t.Error("a Finder without a Store was made")
	}
}
