package simulate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
	"github.com/realtime-gw/realtime-gw/internal/simulate"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// tell makes Postgres tell of every change: how the tests wait for one.
const tell = `
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('changes', json_build_object('table', TG_TABLE_NAME, 'op', TG_OP, 'id', NEW.id, 'status', NEW.status,
		'was', CASE WHEN TG_OP = 'UPDATE' THEN OLD.status::text END, 'tags', NEW."runTags",
		'batch', NEW."batchId", 'parent', NEW."parentTaskRunId", 'metadata', NEW.metadata)::text);
	RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON "TaskRun" FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON task_run_v2 FOR EACH ROW EXECUTE FUNCTION tell();
LISTEN changes`

type change struct {
	Table, Op, ID, Status, Was string
	Tags                       []string
	Batch, Parent, Metadata    *string
}

// stage is a simulation that runs, and everything about it.
type stage struct {
	sim   *simulate.Simulation
	store *runstore.Store
	pool  *pgxpool.Pool
	heard *pgx.Conn
	env   string
	stop  func() // ends it and waits for it
}

func newStage(t *testing.T) *stage {
	t.Helper()
	url := pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	demo, err := schema.SeedDemo(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	heard, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = heard.Close(context.Background()) })
	if _, err := heard.Exec(t.Context(), tell); err != nil {
		t.Fatal(err)
	}
	sim, err := simulate.New(simulate.Config{
		Store: store, OrganizationID: demo.OrganizationID, ProjectID: demo.ProjectID, EnvironmentID: demo.EnvironmentID,
		Seed: 7, Speed: 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		sim.Run(ctx)
	}()
	st := &stage{sim: sim, store: store, pool: pool, heard: heard, env: demo.EnvironmentID, stop: func() { cancel(); <-done }}
	t.Cleanup(st.stop)
	select {
	case <-sim.Ready():
	case <-time.After(time.Minute):
		t.Fatal("it is not ready after a minute")
	}
	return st
}

// until reads changes until one of them is what the test waits for.
func (st *stage) until(t *testing.T, what string, enough func(change) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		n, err := st.heard.WaitForNotification(ctx)
		if err != nil {
			t.Fatalf("waiting until %s: %v", what, err)
		}
		var c change
		if err := json.Unmarshal([]byte(n.Payload), &c); err != nil {
			t.Fatal(err)
		}
		if enough(c) {
			return
		}
	}
}

func (st *stage) count(t *testing.T, where string, args ...any) map[runid.Table]int {
	t.Helper()
	counts := map[runid.Table]int{}
	for _, table := range runid.Tables() {
		var n int
		if err := st.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table.SQL()+" WHERE "+where, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

const unfinished = `status NOT IN ('CANCELED','INTERRUPTED','COMPLETED_SUCCESSFULLY','COMPLETED_WITH_ERRORS','SYSTEM_FAILURE','CRASHED','EXPIRED','TIMED_OUT')`

func TestItShowsEverythingInBothTables(t *testing.T) {
	st := newStage(t)
	missing := map[string]bool{}
	for _, table := range runid.Tables() {
		for _, s := range []runstore.Status{
			runstore.Pending, runstore.Dequeued, runstore.Executing, runstore.RetryingAfterFailure,
			runstore.CompletedSuccessfully, runstore.CompletedWithErrors, runstore.Canceled, runstore.Expired,
		} {
			missing[table.Name()+" "+string(s)] = true
		}
		for _, what := range []string{"child", "in a batch", "metadata", simulate.Tag} {
			missing[table.Name()+" "+what] = true
		}
	}
	changes := 0
	st.until(t, "everything was seen", func(c change) bool {
		delete(missing, c.Table+" "+c.Status)
		if c.Parent != nil {
			delete(missing, c.Table+" child")
		}
		if c.Batch != nil {
			delete(missing, c.Table+" in a batch")
		}
		if c.Metadata != nil {
			delete(missing, c.Table+" metadata")
		}
		if slices.Contains(c.Tags, simulate.Tag) {
			delete(missing, c.Table+" "+simulate.Tag)
		}
		if runstore.Status(c.Was).Final() {
			t.Errorf("%s went from %s to %s", c.ID, c.Was, c.Status)
		}
		if c.Op == "INSERT" && (c.Table == "task_run_v2") != (runid.Home(c.ID) == runid.V2) {
			t.Errorf("%s is in %s", c.ID, c.Table)
		}
		if changes++; changes%100 == 0 {
			for table, n := range st.count(t, unfinished+` AND "runTags" @> ARRAY['demo']`) {
				if n == 0 {
					t.Errorf("the tag is on no run of %v that goes on", table)
				}
			}
			if changes > 5000 {
				t.Fatalf("after %d changes, never seen: %v", changes, slices.Sorted(maps.Keys(missing)))
			}
		}
		return len(missing) == 0
	})

	var families int
	if err := st.pool.QueryRow(t.Context(), `
		SELECT count(*) FROM "TaskRun" l JOIN task_run_v2 v ON v."parentTaskRunId" = l.id OR l."parentTaskRunId" = v.id`).Scan(&families); err != nil || families == 0 {
		t.Errorf("%d children in the other table than their parent (%v)", families, err)
	}
	var mixed int
	if err := st.pool.QueryRow(t.Context(), `
		SELECT count(*) FROM "BatchTaskRun" b WHERE EXISTS (SELECT FROM "TaskRun" r WHERE r."batchId" = b.id) AND EXISTS (SELECT FROM task_run_v2 r WHERE r."batchId" = b.id)
			AND status IN ('COMPLETED', 'PARTIAL_FAILED')`).Scan(&mixed); err != nil || mixed == 0 {
		t.Errorf("%d batches that are over and had runs in both tables (%v)", mixed, err)
	}
	for table, n := range st.count(t, `status = 'COMPLETED_SUCCESSFULLY' AND (output IS NULL OR "completedAt" IS NULL OR "executedAt" IS NULL)
		OR status IN ('COMPLETED_WITH_ERRORS','CANCELED','EXPIRED') AND (error IS NULL OR "completedAt" IS NULL) OR "updatedAt" < "createdAt"`) {
		if n != 0 {
			t.Errorf("%d runs of %v are over without what belongs to it", n, table)
		}
	}

	st.stop()
	for table, n := range st.count(t, unfinished) {
		if n != 0 {
			t.Errorf("it left %d runs of %v unfinished", n, table)
		}
	}
	var open int
	if err := st.pool.QueryRow(t.Context(), `SELECT count(*) FROM "BatchTaskRun" WHERE status = 'PENDING'`).Scan(&open); err != nil || open != 0 {
		t.Errorf("it left %d batches open (%v)", open, err)
	}
}

func TestCurrentIsAlive(t *testing.T) {
	st := newStage(t)
	now := st.sim.Current()
	batch, err := st.store.FindBatchByFriendlyID(t.Context(), st.env, now.Batch)
	if err != nil {
		t.Fatal(err)
	}
	if now.Legacy.Home() != runid.Legacy || now.V2.Home() != runid.V2 {
		t.Errorf("%s is at home in %v, %s in %v", now.Legacy, now.Legacy.Home(), now.V2, now.V2.Home())
	}
	for _, id := range []runid.Friendly{now.Legacy, now.V2} {
		run, err := st.store.FindByFriendlyID(t.Context(), st.env, id)
		if err != nil {
			t.Fatal(err)
		}
		if run.Status != runstore.Executing || run.BatchID == nil || *run.BatchID != batch.ID || !slices.Contains(run.Tags, simulate.Tag) || !slices.Contains(batch.RunIDs, run.FriendlyID) {
			t.Errorf("%s is %s, in batch %v, with tags %v; the batch has %v", id, run.Status, run.BatchID, run.Tags, batch.RunIDs)
		}
		seen := map[string]bool{}
		st.until(t, fmt.Sprintf("%s has changed three times", id), func(c change) bool {
			if c.ID == run.ID && c.Metadata != nil {
				seen[*c.Metadata] = true
			}
			return len(seen) == 3
		})
	}
	if st.sim.Current() != now {
		t.Error("what is current has changed by itself")
	}
}

// What a user does in the API or in psql stays done, and the show goes on.
func TestOthersInterfere(t *testing.T) {
	for name, interfere := range map[string]func(t *testing.T, st *stage, now simulate.Current) error{
		"cancel": func(t *testing.T, st *stage, now simulate.Current) error {
			run, err := st.store.FindByFriendlyID(t.Context(), st.env, now.Legacy)
			if err == nil {
				_, err = st.store.Cancel(t.Context(), run.Key(), runstore.Cancellation{Error: runstore.StringError("mine")})
			}
			return err
		},
		"truncate": func(t *testing.T, st *stage, _ simulate.Current) error {
			_, err := st.pool.Exec(t.Context(), `TRUNCATE "TaskRun"`)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t)
			before := st.sim.Current()
			if err := interfere(t, st, before); err != nil {
				t.Fatal(err)
			}
			st.until(t, "another run is current", func(change) bool {
				after := st.sim.Current()
				return after.Legacy != before.Legacy && after.Batch != before.Batch
			})
			id := strings.TrimPrefix(before.Legacy.String(), "run_")
			for table, n := range st.count(t, "id = $1 AND "+unfinished, id) {
				if n != 0 {
					t.Errorf("%v: the run was brought back to life", table)
				}
			}
			for table, n := range st.count(t, `id IN ($1, $2) AND `+unfinished, st.sim.Current().Legacy.Suffix(), st.sim.Current().V2.Suffix()) {
				if n != 1 {
					t.Errorf("%v has %d current runs", table, n)
				}
			}
		})
	}
}

// Nor is a run of a story brought back by what was to come in it.
func TestCanceledRunStaysSo(t *testing.T) {
	st := newStage(t)
	for _, table := range runid.Tables() {
		id := ""
		st.until(t, "a run of a story was canceled while it was executing", func(c change) bool {
			if c.Status != string(runstore.Executing) || c.Was != string(runstore.Dequeued) || c.Table != table.Name() {
				return false
			}
			err := st.store.WithLocked(t.Context(), runstore.Key{EnvironmentID: st.env, ID: c.ID}, func(in *runstore.Store, now runstore.Run) error {
				if now.Status.Final() {
					return nil // too late for this one
				}
				id = now.ID
				_, err := in.Cancel(t.Context(), now.Key(), runstore.Cancellation{Error: runstore.StringError("mine")})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return id != ""
		})
		after := 0
		st.until(t, "much else has happened", func(c change) bool {
			if c.ID == id && runstore.Status(c.Was).Final() {
				t.Errorf("%s went from %s to %s", id, c.Was, c.Status)
			}
			after++
			return after == 200
		})
	}
}

func TestDatabaseIsAwayForAWhile(t *testing.T) {
	st := newStage(t)
	before := st.sim.Current()
	if _, err := st.heard.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	// What was told before the cut may still have to be read: count on.
	seen := map[string]bool{}
	st.until(t, "it has written again", func(c change) bool {
		if runid.FormatRun(c.ID) == before.Legacy.String() && c.Metadata != nil {
			seen[*c.Metadata] = true
		}
		return len(seen) > 5
	})
	if st.sim.Current() != before {
		t.Error("it began anew")
	}
}

func TestBadConfig(t *testing.T) {
	if _, err := simulate.New(simulate.Config{}); err == nil {
		t.Error("a simulation of nothing was made")
	}
}
