package embedded

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// TestAlter: what is done to the table ends a shape exactly if the shape cannot
// go on, at the next write at the latest; who starts over has what the query
// gives.
func TestAlter(t *testing.T) {
	some := with(tagFeed("env"), "columns", `"id","number","status"`)
	all := with(tagFeed("env"))
	all.Del("columns")
	const ends, goesOn = true, false
	b := newBench(t, Config{})
	for i, test := range []struct {
		what string
		q    url.Values
		sql  string
		ends bool
	}{
		{"add a column", some, `ALTER TABLE "TaskRun" ADD COLUMN extra text DEFAULT 'e'`, goesOn},
		{"rename a column that is not selected", some, `ALTER TABLE "TaskRun" RENAME COLUMN extra TO other`, goesOn},
		{"change the type of a column that is not selected", some, `ALTER TABLE "TaskRun" ALTER COLUMN other TYPE varchar(9)`, goesOn},
		{"drop a column that is not selected", some, `ALTER TABLE "TaskRun" DROP COLUMN other`, goesOn},
		{"add a default", some, `ALTER TABLE "TaskRun" ALTER COLUMN number SET DEFAULT 7`, goesOn},
		{"add a column, all being selected", all, `ALTER TABLE "TaskRun" ADD COLUMN extra text`, ends},
		{"drop a column, all being selected", all, `ALTER TABLE "TaskRun" DROP COLUMN extra`, ends},
		{"change the type of a selected column", some, `ALTER TABLE "TaskRun" ALTER COLUMN number TYPE bigint`, ends},
		{"change the modifier of a selected column", with(some, "columns", `id,"spanId",status`), `ALTER TABLE "TaskRun" ALTER COLUMN "spanId" TYPE varchar(50)`, ends},
		{"rename a selected column", some, `ALTER TABLE "TaskRun" RENAME COLUMN number TO digit; ALTER TABLE "TaskRun" ADD COLUMN number int DEFAULT 3`, ends},
		{"make a selected column anew", some, `ALTER TABLE "TaskRun" DROP COLUMN number; ALTER TABLE "TaskRun" ADD COLUMN number int DEFAULT 4`, ends},
		{"change the type of the tested column", some, `ALTER TABLE "TaskRun" ALTER COLUMN "runtimeEnvironmentId" TYPE varchar(99)`, ends},
		{"make the table anew", some, `ALTER TABLE "TaskRun" RENAME TO gone; CREATE TABLE "TaskRun" (LIKE gone INCLUDING ALL); ALTER TABLE "TaskRun" REPLICA IDENTITY FULL`, ends},
	} {
		snap := b.get(test.q)
		if snap.status != 200 {
			t.Fatalf("%s: %d %s", test.what, snap.status, snap.body)
		}
		end := b.get(with(test.q, "handle", snap.handle(), "offset", "0_inf"))
		held := b.hold(test.what, live(test.q, end))
		b.write(test.sql)
		b.write(addRun, fmt.Sprint("r", i), "env", []string{})
		got := b.answer(held)
		switch {
		case test.ends && got.status == 409:
		case !test.ends && got.status == 200 && got.summary(t) == fmt.Sprintf("insert r%d, up-to-date", i):
		case test.ends && got.status == 200:
			// The log does not tell: it is noticed a little later.
			got = b.get(live(test.q, got))
			if got.status == 409 && (strings.Contains(test.what, "anew") || strings.Contains(test.what, "rename a selected")) {
				break
			}
			fallthrough
		default:
			t.Errorf("%s: %d %.300s", test.what, got.status, got.body)
		}
		r := &reader{rows: map[string]map[string]string{}}
		if got := b.get(test.q); got.status != 200 || r.apply(got.body) != nil {
			t.Errorf("%s, then: %d %.300s", test.what, got.status, got.body)
		}
		if want := b.rows(test.q); test.ends && test.q.Has("columns") && !maps.EqualFunc(r.rows, want, maps.Equal) {
			t.Errorf("%s: %d rows of %d%s", test.what, len(r.rows), len(want), firstDifference(r.rows, want))
		}
	}
}

// TestForeignSettings: whatever a database's and a role's own settings, a value is
// written the same in a snapshot, in the log, and in a database with none.
func TestForeignSettings(t *testing.T) {
	const row = `UPDATE "TaskRun" SET "completedAt" = '2026-08-21 07:49:12.120', "costInCents" = 0.1::float8 + 0.2::float8, "isTest" = true, payload = 'é€', "runTags" = ARRAY[NULL,'a,b','']`
	columns := `"id","completedAt","costInCents","isTest","payload","runTags","at","took","raw","amount","price","days","many"`
	const extra = `ALTER TABLE "TaskRun" ADD at timestamptz DEFAULT '2026-03-29 01:30:00+00', ADD took interval DEFAULT '1 mon -2 days 03:04:05.6',
		ADD raw bytea DEFAULT '\x00ff41', ADD amount numeric(20,4) DEFAULT 12345.6000, ADD price float4 DEFAULT 0.1, ADD days daterange DEFAULT '[2026-01-02,2026-02-03)',
		ADD many timestamp[] DEFAULT ARRAY['2026-12-11 10:09:08'::timestamp]`
	var first string
	for _, settings := range [][]string{
		nil,
		{"DateStyle = 'German'", "TimeZone = 'Asia/Kathmandu'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'", "extra_float_digits = -3"},
		{"DateStyle = 'SQL, MDY'", "TimeZone = 'America/New_York'", "IntervalStyle = 'postgres_verbose'", "client_encoding = 'LATIN1'", "lc_numeric = 'C'", "lc_time = 'C'", "lc_monetary = 'C'"},
		{"statement_timeout = 1", "lock_timeout = 1", "idle_session_timeout = 1000", "default_transaction_read_only = on", "default_transaction_isolation = 'serializable'", "search_path = 'pg_catalog'"},
	} {
		b := newBenchOn(t, pgtest.Database(t), Config{}, settings)
		b.exec(extra)
		q := with(tagFeed("env"), "columns", columns)
		empty := b.get(q)
		if empty.status != 200 {
			t.Fatalf("%v: %d %s", settings, empty.status, empty.body)
		}
		b.exec(addRun, "a", "env", []string{})
		b.exec(row)
		fromLog, fromSnapshot := &reader{rows: map[string]map[string]string{}}, &reader{rows: map[string]map[string]string{}}
		if err := fromLog.apply(b.get(with(q, "handle", empty.handle(), "offset", "0_inf")).body); err != nil {
			t.Fatal(err)
		}
		// The same columns and one more make a shape that has the row in its snapshot.
		if err := fromSnapshot.apply(b.get(with(q, "where", q.Get("where")+` AND "runtimeEnvironmentId" = $1`)).body); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(fromLog.rows), fmt.Sprint(fromSnapshot.rows); got != want {
			t.Errorf("%v: the log has %s\nthe snapshot %s", settings, got, want)
		}
		if first == "" {
			first = fmt.Sprint(fromLog.rows)
		}
		if got := fmt.Sprint(fromLog.rows); got != first {
			t.Errorf("%v: %s\nwant %s", settings, got, first)
		}
	}
	for _, want := range []string{"completedAt:2026-08-21 07:49:12.12", "costInCents:0.30000000000000004", "at:2026-03-29 01:30:00+00", `raw:\x00ff41`,
		"took:P1M-2DT3H4M5.6S", "payload:é€", `runTags:{NULL,"a,b",""}`, "amount:12345.6000", "price:0.1"} {
		if !strings.Contains(first, want) {
			t.Errorf("%s is not in %s", want, first)
		}
	}
}

// newBenchOn is newBench on a database to which settings are given first.
func newBenchOn(t testing.TB, databaseURL string, cfg Config, settings []string) *bench {
	t.Helper()
	db, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	for _, s := range settings {
		if _, err := db.Exec(t.Context(), `ALTER DATABASE `+db.Config().Database+` SET `+s); err != nil {
			t.Fatal(err)
		}
	}
	return newBenchAt(t, databaseURL, cfg)
}
