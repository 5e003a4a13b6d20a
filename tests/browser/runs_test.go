package browser

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// tables are the run tables as SQL names them.
var tables = map[runid.Table]string{runid.Legacy: `"TaskRun"`, runid.V2: `task_run_v2`}

// writer is a database or a transaction.
type writer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// world is a stack with a batch and a tag that the tests fill with runs.
type world struct {
	*stack
	tag     string
	batch   batch
	mint    *runid.Minter
	written int // runs made so far
	began   time.Time
}

type batch struct{ id, friendly string }

// job is a run that a test made.
type job struct {
	table        runid.Table
	id, friendly string
	createdAt    time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{stack: newStack(t), tag: "orders", mint: runid.NewMinter(runid.MinterConfig{})}
	w.began = time.Now().UTC().Add(-time.Hour)
	w.batch.id = w.mint.Mint(runid.Legacy)
	w.batch.friendly = runid.FormatBatch(w.batch.id)
	w.exec(w.db, `INSERT INTO "BatchTaskRun" (id, "friendlyId", "runtimeEnvironmentId", "updatedAt") VALUES ($1, $2, $3, now())`,
		w.batch.id, w.batch.friendly, w.demo.EnvironmentID)
	return w
}

func (w *world) exec(to writer, sql string, args ...any) {
	w.t.Helper()
	if _, err := to.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// transaction runs writes as one.
func (w *world) transaction(do func(tx pgx.Tx)) {
	w.t.Helper()
	if err := pgx.BeginFunc(w.t.Context(), w.db, func(tx pgx.Tx) error { do(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// insert makes a run in a table, with the tag and in the batch.
func (w *world) insert(to writer, table runid.Table) job {
	w.t.Helper()
	j := w.newJob(table)
	w.put(to, j, w.tag, &w.batch.id)
	return j
}

// newJob is a run that is not written yet. Each is a second younger than the one
// before: the hooks order by that.
func (w *world) newJob(table runid.Table) job {
	w.written++
	id := w.mint.Mint(table)
	return job{table, id, runid.FormatRun(id), w.began.Add(time.Duration(w.written) * time.Second)}
}

// put writes the row of a run.
func (w *world) put(to writer, j job, tag string, batch *string) {
	w.t.Helper()
	w.exec(to, fmt.Sprintf(`INSERT INTO %s (id, "friendlyId", "taskIdentifier", "traceId", "spanId", queue, "runtimeEnvironmentId", "projectId",
			"organizationId", engine, "createdAt", "updatedAt", "batchId", "runTags", payload)
		VALUES ($1, $2, $3, 'trace', 'span', 'task/send', $4, $5, $6, 'V2', $7, $7, $8, $9, '{"to":"żółw 🐢"}')`, tables[j.table]),
		j.id, j.friendly, fmt.Sprintf("send-%d", w.written), w.demo.EnvironmentID, w.demo.ProjectID, w.demo.OrganizationID,
		j.createdAt, batch, []string{"first", tag})
}

// The way of a run.

func (w *world) begin(to writer, j job) {
	w.t.Helper()
	w.update(to, j, `status = 'EXECUTING', "startedAt" = now()`)
}

func (w *world) complete(to writer, j job) {
	w.t.Helper()
	w.update(to, j, `status = 'COMPLETED_SUCCESSFULLY', "completedAt" = now(), output = $2`, fmt.Sprintf(`{"sent":true,"by":"żółw 🐢 %s"}`, j.id))
}

func (w *world) fail(to writer, j job) {
	w.t.Helper()
	w.update(to, j, `status = 'COMPLETED_WITH_ERRORS', "completedAt" = now(), error = '{"type":"STRING_ERROR","raw":"no \"address\" {7}"}'`)
}

// update changes columns of a run; assignments is SQL.
func (w *world) update(to writer, j job, assignments string, args ...any) {
	w.t.Helper()
	w.exec(to, fmt.Sprintf(`UPDATE %s SET "updatedAt" = clock_timestamp() AT TIME ZONE 'utc', %s WHERE id = $1`, tables[j.table], assignments),
		append([]any{j.id}, args...)...)
}

// both calls do for each table.
func both(do func(table runid.Table)) {
	for _, table := range runid.Tables() {
		do(table)
	}
}
