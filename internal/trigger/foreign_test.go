package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// rows are all runs of an environment, whole, as texts.
func (f *fixture) rows(t *rapid.T, environment string) map[string]string {
	rows, err := f.pool.Query(context.Background(), `
		SELECT id, r::text FROM "TaskRun" r WHERE "runtimeEnvironmentId" = $1 UNION ALL
		SELECT id, r::text FROM task_run_v2 r WHERE "runtimeEnvironmentId" = $1`, environment)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var id, row string
	if _, err := pgx.ForEachRow(rows, []any{&id, &row}, func() error { all[id] = row; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNothingForeign: wherever the pointers of rows lead, and whatever ids a request
// names, nothing that one environment does gives or changes a row of another, and
// what is not its own is not there for it.
func TestNothingForeign(t *testing.T) {
	f := newFixture(t, nil)
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		a, b := ours, theirs
		a.ID, b.ID = "a"+f.mint.Mint(runid.V2), "b"+f.mint.Mint(runid.V2)
		statuses := rapid.SampledFrom([]runstore.Status{runstore.Pending, runstore.Delayed, runstore.Canceled, runstore.CompletedSuccessfully})
		var ids []string
		for range rapid.IntRange(2, 9).Draw(t, "runs") {
			ids = append(ids, f.mint.Mint(rapid.SampledFrom([]runid.Table{runid.Legacy, runid.V2}).Draw(t, "table")))
		}
		pointer := rapid.Ptr(rapid.SampledFrom(append(slices.Clone(ids), "gone", f.mint.Mint(runid.V2))), true)
		own := map[string]bool{} // of a
		for i, id := range ids {
			env := []string{a.ID, b.ID}[rapid.IntRange(0, 1).Draw(t, "env")]
			own[id] = env == a.ID
			_, err := f.store.Create(ctx, runstore.NewRun{
				ID: id, EnvironmentID: env, ProjectID: "p", TaskIdentifier: "task", Payload: "{}", Status: statuses.Draw(t, "status"),
				ParentRunID: pointer.Draw(t, "parent"), RootRunID: pointer.Draw(t, "root"), IdempotencyKey: ptr(fmt.Sprint("key", i%4)),
			})
			if err != nil { // another of its table has the key
				own[id] = false
			}
		}
		before := f.rows(t, b.ID)

		check := func(what, id string, run *runstore.Run, err error) {
			t.Helper()
			if run != nil && run.EnvironmentID == b.ID {
				t.Fatalf("%s gave a row of another", what)
			}
			if id != "" && own[id] == errors.Is(err, runstore.ErrNotFound) {
				t.Fatalf("%s of a run of which it is %v that it is its own: %v", what, own[id], err)
			}
			var status *trigger.StatusError
			if err != nil && !errors.Is(err, runstore.ErrNotFound) && !errors.As(err, &status) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		operations := []trigger.Operation{{Type: "set", Key: "was", Value: json.RawMessage(`"here"`)}}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			id := rapid.SampledFrom(ids).Draw(t, "id")
			name := "run_" + id
			f.flag.on.Store(rapid.Bool().Draw(t, "flag"))
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				r := trigger.Request{Environment: a, Task: "task", ParentRun: name}
				if rapid.Bool().Draw(t, "with a key") {
					r.IdempotencyKey = fmt.Sprint("key", rapid.IntRange(0, 3).Draw(t, "key"))
				}
				got, err := f.Trigger(ctx, r)
				check("trigger", id, got.Run, err)
			case 1:
				got, err := f.Cancel(ctx, a.ID, name, "")
				check("cancel", id, &got.Run, err)
			case 2:
				run, err := f.Reschedule(ctx, a.ID, name, time.Now().Add(time.Hour))
				check("reschedule", id, &run, err)
			case 3:
				_, err := f.UpdateMetadata(ctx, a.ID, name, trigger.MetadataChange{Operations: operations, ParentOperations: operations, RootOperations: operations})
				check("metadata", id, nil, err)
			case 4:
				_, err := f.ResetIdempotencyKey(ctx, a.ID, "task", fmt.Sprint("key", rapid.IntRange(0, 3).Draw(t, "key")))
				check("reset", "", nil, err)
			}
		}
		if after := f.rows(t, b.ID); !maps.Equal(before, after) {
			t.Fatalf("another's rows were\n%v\nand are\n%v", before, after)
		}
	})
}
