package worker_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/worker"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const env, other = "env_ours", "env_theirs"

// tell makes Postgres tell of every status: how the tests wait for one.
const tell = `
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' OR OLD.status IS DISTINCT FROM NEW.status THEN
		PERFORM pg_notify('statuses', json_build_object('id', NEW.id, 'status', NEW.status)::text);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON "TaskRun" FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON task_run_v2 FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER UPDATE ON "BatchTaskRun" FOR EACH ROW EXECUTE FUNCTION tell();
LISTEN statuses`

// stage is a database with a worker, and what was told of it.
type stage struct {
	t     *testing.T
	store *runstore.Store
	heard *pgx.Conn
	mint  *runid.Minter
	lives map[string][]string // the statuses of each run
}

func newStage(t *testing.T) *stage {
	t.Helper()
	url := pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := &stage{t: t, mint: runid.NewMinter(runid.MinterConfig{}), lives: map[string][]string{}}
	if s.store, err = runstore.New(runstore.Config{Primary: pool}); err != nil {
		t.Fatal(err)
	}
	if s.heard, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.heard.Close(context.Background()) })
	if _, err := s.heard.Exec(t.Context(), tell); err != nil {
		t.Fatal(err)
	}
	return s
}

// work runs a worker until the test or stop ends it.
func (s *stage) work() (stop func()) {
	s.t.Helper()
	w, err := worker.New(worker.Config{Store: s.store, EnvironmentID: env, Step: 10 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	s.t.Cleanup(stop)
	return stop
}

func (s *stage) create(table runid.Table, r runstore.NewRun) runstore.Run {
	s.t.Helper()
	r.ID, r.ProjectID = s.mint.Mint(table), "project"
	if r.EnvironmentID == "" {
		r.EnvironmentID = env
	}
	if r.WorkerQueue == "" {
		r.WorkerQueue = worker.Queue
	}
	if r.Payload == "" {
		r.Payload = `{"a":1}`
	}
	now := time.Now()
	r.QueuedAt = &now
	run, err := s.store.Create(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// until listens until a run, or a batch, has this status.
func (s *stage) until(id, status string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	for !slices.Contains(s.lives[id], status) {
		n, err := s.heard.WaitForNotification(ctx)
		if err != nil {
			s.t.Fatalf("waiting for %s, after %v: %v", status, s.lives[id], err)
		}
		var told struct{ ID, Status string }
		if err := json.Unmarshal([]byte(n.Payload), &told); err != nil {
			s.t.Fatal(err)
		}
		s.lives[told.ID] = append(s.lives[told.ID], told.Status)
	}
}

func (s *stage) lived(run runstore.Run, want ...string) {
	s.t.Helper()
	if !slices.Equal(s.lives[run.ID], want) {
		s.t.Errorf("%s lived %v instead of %v", run.TaskIdentifier, s.lives[run.ID], want)
	}
}

// Each task's name says what becomes of its runs, in both tables.
func TestWhatTasksDo(t *testing.T) {
	s := newStage(t)
	soon, ttl := time.Now().Add(100*time.Millisecond), "1s"
	echo := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "hello"})
	fails := s.create(runid.Legacy, runstore.NewRun{TaskIdentifier: "fail-twice"})
	waits := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "wait", Payload: `{"ms":3000}`})
	idles := s.create(runid.Legacy, runstore.NewRun{TaskIdentifier: "idle", TTL: &ttl})
	delayed := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "later", Status: runstore.Delayed, DelayUntil: &soon})
	theirs := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "hello", EnvironmentID: other})
	elsewhere := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "hello", WorkerQueue: "main"})
	s.work()
	s.until(echo.ID, "COMPLETED_SUCCESSFULLY")
	s.until(fails.ID, "COMPLETED_WITH_ERRORS")
	s.until(waits.ID, "COMPLETED_SUCCESSFULLY")
	s.until(delayed.ID, "COMPLETED_SUCCESSFULLY")
	s.until(idles.ID, "EXPIRED")
	s.lived(echo, "PENDING", "DEQUEUED", "EXECUTING", "COMPLETED_SUCCESSFULLY")
	s.lived(fails, "PENDING", "DEQUEUED", "EXECUTING", "RETRYING_AFTER_FAILURE", "PENDING", "DEQUEUED", "EXECUTING", "COMPLETED_WITH_ERRORS")
	s.lived(waits, "PENDING", "DEQUEUED", "EXECUTING", "WAITING_TO_RESUME", "EXECUTING", "COMPLETED_SUCCESSFULLY")
	s.lived(delayed, "DELAYED", "PENDING", "DEQUEUED", "EXECUTING", "COMPLETED_SUCCESSFULLY")
	s.lived(idles, "PENDING", "EXPIRED")
	s.lived(theirs, "PENDING")
	s.lived(elsewhere, "PENDING")
	run, err := s.store.FindByID(t.Context(), echo.Key())
	if err != nil || run.Output == nil || *run.Output != echo.Payload {
		t.Errorf("the output is %v, %v", run.Output, err)
	}
}

// A run that somebody cancels stays canceled, and one that was left in the middle
// is taken up by the next worker.
func TestOthersWrites(t *testing.T) {
	s := newStage(t)
	canceled := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "wait", Payload: `{"ms":3000}`})
	left := s.create(runid.Legacy, runstore.NewRun{TaskIdentifier: "wait", Payload: `{"ms":3000}`})
	stop := s.work()
	s.until(canceled.ID, "WAITING_TO_RESUME")
	s.until(left.ID, "WAITING_TO_RESUME")
	stop()
	now := time.Now()
	if _, err := s.store.Cancel(t.Context(), canceled.Key(), runstore.Cancellation{CompletedAt: &now}); err != nil {
		t.Fatal(err)
	}
	s.work()
	s.until(left.ID, "COMPLETED_SUCCESSFULLY")
	s.until(canceled.ID, "CANCELED")
	s.lived(canceled, "PENDING", "DEQUEUED", "EXECUTING", "WAITING_TO_RESUME", "CANCELED")
}

// A batch is completed when it is sealed and its last run is over, and says how
// they ended.
func TestBatchIsCompleted(t *testing.T) {
	s := newStage(t)
	batch, err := s.store.CreateBatch(t.Context(), runstore.NewBatch{ID: s.mint.Mint(runid.Legacy), EnvironmentID: env, RunCount: 2, Open: true})
	if err != nil {
		t.Fatal(err)
	}
	good := s.create(runid.V2, runstore.NewRun{TaskIdentifier: "hello", BatchID: &batch.ID})
	bad := s.create(runid.Legacy, runstore.NewRun{TaskIdentifier: "fail", BatchID: &batch.ID})
	s.work()
	s.until(bad.ID, "COMPLETED_WITH_ERRORS")
	s.until(good.ID, "COMPLETED_SUCCESSFULLY")
	if slices.Contains(s.lives[batch.ID], "COMPLETED") {
		t.Error("a batch is completed before it is sealed")
	}
	if _, err := s.store.SealBatch(t.Context(), batch.Key(), []string{good.FriendlyID, bad.FriendlyID}); err != nil {
		t.Fatal(err)
	}
	s.until(batch.ID, "COMPLETED")
	id, err := runid.ParseBatch(batch.FriendlyID)
	if err != nil {
		t.Fatal(err)
	}
	if batch, err = s.store.FindBatchByFriendlyID(t.Context(), env, id); err != nil || *batch.Successful != 1 || *batch.Failed != 1 {
		t.Errorf("the batch is %+v, %v", batch, err)
	}
}
