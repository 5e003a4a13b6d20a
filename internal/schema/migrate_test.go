package schema_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func migrate(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	actions, err := schema.Migrate(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
}

func lines(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	return all
}

// describe is everything about a table that a reader or writer can notice.
func describe(t *testing.T, conn *pgx.Conn, table string) []string {
	t.Helper()
	all := lines(t, conn, `
		SELECT format('%s %s dims %s notnull %s default %s', attname, format_type(atttypid, atttypmod), attndims, attnotnull, pg_get_expr(adbin, adrelid))
		FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, table)
	all = append(all, lines(t, conn, `
		SELECT substring(pg_get_indexdef(indexrelid) FROM ' USING .*') || CASE WHEN indisunique THEN ' unique' ELSE '' END
		FROM pg_index WHERE indrelid = $1::text::regclass ORDER BY 1`, table)...)
	return append(all, lines(t, conn, `SELECT 'identity ' || relreplident::text FROM pg_class WHERE oid = $1::text::regclass`, table)...)
}

func TestEmptyDatabase(t *testing.T) {
	conn := connect(t, pgtest.Empty(t))
	actions := migrate(t, conn)
	for _, want := range []string{
		"created type TaskRunStatus", "created table Organization", "created table TaskRun", "created table task_run_v2",
		"set replica identity full on TaskRun", "set replica identity full on task_run_v2",
		"set dimensions of task_run_v2.runTags", "set dimensions of task_run_v2.realtimeStreams", "set dimensions of task_run_v2.bulkActionGroupIds",
	} {
		if !slices.Contains(actions, want) {
			t.Errorf("it did not say %q; it said %q", want, actions)
		}
	}
	legacy, v2 := describe(t, conn, `"TaskRun"`), describe(t, conn, "task_run_v2")
	if diff := cmp.Diff(legacy, v2); diff != "" {
		t.Errorf("the run tables differ:\n%s", diff)
	}
	for _, want := range []string{
		"id text dims 0 notnull t default ", "runTags text[] dims 1 notnull f default ",
		"realtimeStreams text[] dims 1 notnull f default ARRAY[]::text[]",
		"createdAt timestamp(3) without time zone dims 0 notnull t default CURRENT_TIMESTAMP",
		"updatedAt timestamp(3) without time zone dims 0 notnull t default ", "metadataVersion integer dims 0 notnull t default 1",
		` USING btree ("runtimeEnvironmentId", "taskIdentifier", "idempotencyKey") unique`, "identity f",
	} {
		if !slices.Contains(v2, want) {
			t.Errorf("task_run_v2 has no %q:\n%s", want, strings.Join(v2, "\n"))
		}
	}
}

func TestSecondRunDoesNothing(t *testing.T) {
	conn := connect(t, pgtest.Empty(t))
	migrate(t, conn)
	if actions := migrate(t, conn); len(actions) != 0 {
		t.Errorf("the second run did %q", actions)
	}
}

func TestRunsAtOnce(t *testing.T) {
	url := pgtest.Empty(t)
	var wg sync.WaitGroup
	counts := make([]int, 4)
	for i := range counts {
		conn := connect(t, url)
		wg.Go(func() {
			actions, err := schema.Migrate(t.Context(), conn)
			if err != nil {
				t.Error(err)
			}
			counts[i] = len(actions)
		})
	}
	wg.Wait()
	slices.Sort(counts)
	if counts[3] == 0 || counts[2] != 0 {
		t.Errorf("they did %v things; one of them should have done all", counts)
	}
}

// The faults that a v2 table made by hand has.
func TestTableMadeByLike(t *testing.T) {
	conn := connect(t, pgtest.Empty(t))
	migrate(t, conn)
	want := describe(t, conn, "task_run_v2")
	execute(t, conn, `DROP TABLE task_run_v2; CREATE TABLE task_run_v2 (LIKE "TaskRun" INCLUDING ALL)`)
	execute(t, conn, `INSERT INTO task_run_v2 (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags")
		VALUES ('r', 'run_r', 't', '{}', 't', 's', 'e', 'p', 'q', now(), '{a,b}')`)
	before := lines(t, conn, `SELECT xmin::text || ctid::text FROM task_run_v2`)
	got := migrate(t, conn)
	if diff := cmp.Diff([]string{
		"set replica identity full on task_run_v2",
		"set dimensions of task_run_v2.runTags", "set dimensions of task_run_v2.bulkActionGroupIds", "set dimensions of task_run_v2.realtimeStreams",
	}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, describe(t, conn, "task_run_v2")); diff != "" {
		t.Error(diff)
	}
	if after := lines(t, conn, `SELECT xmin::text || ctid::text FROM task_run_v2`); !slices.Equal(before, after) {
		t.Errorf("the rows were written anew: %v, then %v", before, after)
	}
}

// A platform's own database, from before there was a second table, with a column
// more than this package knows and another default.
func TestDatabaseWithTheLegacyTableOnly(t *testing.T) {
	conn := connect(t, pgtest.Empty(t))
	migrate(t, conn)
	execute(t, conn, `DROP TABLE task_run_v2; ALTER TABLE "TaskRun" ADD COLUMN extra text, ALTER COLUMN queue SET DEFAULT 'q', REPLICA IDENTITY DEFAULT`)
	before := describe(t, conn, `"TaskRun"`)
	got := migrate(t, conn)
	if got[0] != "created table task_run_v2" || !slices.Contains(got, "set replica identity full on TaskRun") {
		t.Errorf("it did %q", got)
	}
	after := describe(t, conn, `"TaskRun"`)
	if diff := cmp.Diff(before[:len(before)-1], after[:len(after)-1]); diff != "" {
		t.Errorf("the legacy table was changed:\n%s", diff)
	}
	if diff := cmp.Diff(after, describe(t, conn, "task_run_v2")); diff != "" {
		t.Errorf("the new table is not its twin:\n%s", diff)
	}
}

// All or nothing, and the error says what is in the way.
func TestTableInUse(t *testing.T) {
	url := pgtest.Empty(t)
	conn := connect(t, url)
	migrate(t, conn)
	execute(t, conn, `DROP TABLE task_run_v2; ALTER TABLE "TaskRun" REPLICA IDENTITY DEFAULT`)
	user := connect(t, url)
	execute(t, user, `BEGIN; SELECT FROM "TaskRun"`)
	_, err := schema.Migrate(t.Context(), conn)
	if err == nil || !strings.Contains(err.Error(), "TaskRun") || !strings.Contains(err.Error(), "run the migration again") {
		t.Errorf("while a transaction reads the table: %v", err)
	}
	execute(t, user, "COMMIT")
	if got := lines(t, conn, `SELECT to_regclass('task_run_v2')::text WHERE to_regclass('task_run_v2') IS NOT NULL`); len(got) != 0 {
		t.Errorf("the failed migration left %v", got)
	}
	migrate(t, conn)
}

func TestOtherSearchPath(t *testing.T) {
	conn := connect(t, pgtest.Empty(t))
	execute(t, conn, `CREATE SCHEMA other; CREATE TABLE other."TaskRun" (id text); SET search_path TO other`)
	migrate(t, conn)
	if actions := migrate(t, conn); len(actions) != 0 {
		t.Errorf("the second run did %q", actions)
	}
	if got := lines(t, conn, `SELECT count(*)::text FROM pg_tables WHERE schemaname = 'other'`); got[0] != "1" {
		t.Errorf("%s tables were made outside of public", got[0])
	}
}
