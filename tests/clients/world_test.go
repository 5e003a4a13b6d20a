package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// tables are the run tables as SQL and message keys name them.
var tables = map[runid.Table]string{runid.Legacy: `"TaskRun"`, runid.V2: `"task_run_v2"`}

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
	written int             // runs made so far: it gives each its own values
	deleted map[string]bool // runs that are gone, by friendly id
	former  memory          // runs that were in a feed, when that was looked at
}

type batch struct{ id, friendly string }

// run is one that a test made.
type run struct {
	table        runid.Table
	id, friendly string
}

func newWorld(t testing.TB, chunkBytes int) *world {
	t.Helper()
	return newWorldOn(newStack(t, chunkBytes))
}

func newWorldOn(s *stack) *world {
	s.t.Helper()
	w := &world{stack: s, tag: "orders", mint: runid.NewMinter(runid.MinterConfig{}), deleted: make(map[string]bool), former: make(memory)}
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

// transaction runs writes as one, and returns its id, as messages name it.
func (w *world) transaction(do func(tx pgx.Tx)) int64 {
	w.t.Helper()
	tx, err := w.db.Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	do(tx)
	var id int64
	if err := tx.QueryRow(w.t.Context(), `SELECT pg_current_xact_id()::xid::text::bigint`).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	if err := tx.Commit(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// insert makes a run in a table, with the tag and in the batch. Values of every
// column that clients get are given in one run or another, and the awkward ones
// among them: NULL and empty arrays, quotes, braces, several scripts, numbers
// that binary fractions do not hold. set replaces values.
func (w *world) insert(to writer, table runid.Table, set row) run {
	w.t.Helper()
	w.written++
	n := w.written
	id := w.mint.Mint(table)
	r := run{table, id, runid.FormatRun(id)}
	now := time.Now().UTC()
	values := row{
		"id": r.id, "friendlyId": r.friendly, "taskIdentifier": "send-receipt", "traceId": "trace", "spanId": "span", "queue": "task/send-receipt",
		"runtimeEnvironmentId": w.demo.EnvironmentID, "projectId": w.demo.ProjectID, "organizationId": w.demo.OrganizationID, "engine": "V2",
		"createdAt": now, "updatedAt": now, "batchId": w.batch.id, "runTags": []string{w.tag, fmt.Sprintf("user_%d", n), `a "quoted" {tag}`},
		"number": n, "payload": fmt.Sprintf(`{"order":%d,"note":"żółw 🐢 \"x\", {y}"}`, n), "costInCents": 0.1 * float64(n), "baseCostInCents": 0.3,
	}
	switch n % 3 {
	case 1:
		values["metadata"], values["ttl"], values["isTest"] = `{"step":1}`, "10m", true
		values["queuedAt"], values["startedAt"], values["realtimeStreams"] = now, now.Add(time.Second), []string{"log", "a,b"}
	case 2:
		values["status"], values["delayUntil"], values["realtimeStreams"] = "DELAYED", now.Add(time.Hour), nil
	}
	for column, value := range set {
		values[column] = value
	}
	w.insertRow(to, table, values)
	return r
}

func (w *world) insertRow(to writer, table runid.Table, values row) {
	w.t.Helper()
	var columns, marks []string
	var args []any
	for column, value := range values {
		columns = append(columns, pgx.Identifier{column}.Sanitize())
		args = append(args, value)
		marks = append(marks, fmt.Sprintf("$%d", len(args)))
	}
	w.exec(to, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", tables[table], strings.Join(columns, ", "), strings.Join(marks, ", ")), args...)
}

// update changes columns of a run; assignments is SQL.
func (w *world) update(to writer, r run, assignments string, args ...any) {
	w.t.Helper()
	w.exec(to, fmt.Sprintf(`UPDATE %s SET "updatedAt" = clock_timestamp() AT TIME ZONE 'utc', %s WHERE id = $1`, tables[r.table], assignments),
		slices.Insert(args, 0, any(r.id))...)
}

func (w *world) delete(to writer, r run) {
	w.t.Helper()
	w.deleted[r.friendly] = true
	w.exec(to, fmt.Sprintf(`DELETE FROM %s WHERE id = $1`, tables[r.table]), r.id)
}

// both calls do for each table.
func both(do func(table runid.Table)) {
	for _, table := range runid.Tables() {
		do(table)
	}
}

// The feeds of a world, opened with its secret key.

func (w *world) tagFeed() subscription {
	return subscription{Kind: "tag", ID: w.tag, Token: w.demo.APIKey}
}

func (w *world) batchFeed() subscription {
	return subscription{Kind: "batch", ID: w.batch.friendly, Token: w.demo.APIKey}
}

func (w *world) runFeed(r run) subscription {
	return subscription{Kind: "run", ID: r.friendly, Token: w.demo.APIKey}
}

// feeds are the tag's, the batch's and those of the runs.
func (w *world) feeds(runs ...run) []subscription {
	out := []subscription{w.tagFeed(), w.batchFeed()}
	for _, r := range runs {
		out = append(out, w.runFeed(r))
	}
	return out
}
