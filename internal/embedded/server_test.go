package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

const addRun = `INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags", "createdAt")
	VALUES ($1, 'run_' || $1, 't', '{}', '', '', $2, 'p', 'q', '2026-08-21', $3, '2026-08-21')`

// tagFeed asks for the runs of an environment that have all the tags.
func tagFeed(env string, tags ...string) url.Values {
	q := url.Values{
		"table": {`public."TaskRun"`}, "columns": {`"id","status","runTags","isTest"`}, "log": {"full"},
		"params[1]": {env}, "offset": {"-1"},
	}
	where := `"runtimeEnvironmentId" = $1`
	var numbers []string
	for i, tag := range tags {
		numbers = append(numbers, fmt.Sprintf("$%d", i+2))
		q.Set(fmt.Sprintf("params[%d]", i+2), tag)
	}
	if numbers != nil {
		where += ` AND "runTags" @> ARRAY[` + strings.Join(numbers, ",") + "]"
	}
	q.Set("where", where)
	return q
}

func (b *bench) connect() *pgx.Conn {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), b.server.cfg.DatabaseURL)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestSnapshotSeesWhatTheLogHasPassed: a transaction that was read from the log
// before a shape was registered is waited for until snapshots see it.
func TestSnapshotSeesWhatTheLogHasPassed(t *testing.T) {
	b := newBench(t, Config{})
	writer, reader := b.connect(), b.connect()
	tx, err := writer.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var xid uint32
	if err := tx.QueryRow(t.Context(), `SELECT pg_current_xact_id()::xid`).Scan(&xid); err != nil {
		t.Fatal(err)
	}
	type result struct {
		at  joinPoint
		err error
	}
	done := make(chan result, 1)
	go func() {
		snap, at, err := beginSnapshot(context.Background(), reader, replication.Table{Schema: "public", Name: "TaskRun"}, []uint32{xid})
		if err == nil {
			err = snap.Rollback(context.Background())
		}
		done <- result{at, err}
	}()
	// The reader has been turned away at least once when it has begun a second time.
	var begun time.Time
	for n := 0; n < 2; {
		var start *time.Time
		if err := b.db.QueryRow(t.Context(), `SELECT xact_start FROM pg_stat_activity WHERE pid = $1`, reader.PgConn().PID()).Scan(&start); err != nil {
			t.Fatal(err)
		}
		if start != nil && !start.Equal(begun) {
			begun = *start
			n++
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.err != nil || !r.at.snapshot.sees(xid) {
		t.Errorf("%+v does not see %d", r, xid)
	}
}

// TestNewShapeOnLockedTable: the snapshot waits for whoever alters or truncates
// the table, and sees what they left.
func TestNewShapeOnLockedTable(t *testing.T) {
	b := newBench(t, Config{})
	b.exec(addRun, "old", "env", []string{"x"})
	tx, err := b.connect().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `TRUNCATE "TaskRun"`); err != nil {
		t.Fatal(err)
	}
	held := b.hold("snapshot", tagFeed("env", "x"))
	if _, err := tx.Exec(t.Context(), addRun, "new", "env", []string{"x"}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	snap := b.answer(held)
	if snap.status != 200 || snap.summary(t) != "insert new, snapshot-end" {
		t.Fatalf("%d %s", snap.status, snap.body)
	}
	b.caughtUp()
	if next := b.get(with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_0")); next.summary(t) != "up-to-date" {
		t.Errorf("the log repeats the snapshot: %d %s", next.status, next.body)
	}
}

// TestAlterBeforeSnapshot: a table that is altered between the look at the
// catalog and the snapshot is looked at again, and the reader does not notice.
func TestAlterBeforeSnapshot(t *testing.T) {
	b := newBench(t, Config{})
	b.exec(addRun, "a", "env", []string{"x"})
	tx, err := b.connect().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `ALTER TABLE "TaskRun" ALTER COLUMN number TYPE bigint`); err != nil {
		t.Fatal(err)
	}
	held := b.hold("snapshot", with(tagFeed("env", "x"), "columns", "id,number"))
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	snap := b.answer(held)
	if snap.status != 200 || snap.summary(t) != "insert a, snapshot-end" || !strings.Contains(snap.header.Get("electric-schema"), `"number":{"type":"int8"`) {
		t.Errorf("%d %s %s", snap.status, snap.header.Get("electric-schema"), snap.body)
	}
}

// TestOffsetAhead: an offset that is not there yet is waited for, one that does
// not come is out of bounds.
func TestOffsetAhead(t *testing.T) {
	b := newBench(t, Config{LongPoll: 4 * time.Second})
	snap := b.get(tagFeed("env", "x"))
	q := with(tagFeed("env", "x"), "handle", snap.handle())
	held := b.hold("ahead", with(q, "offset", "1_0"))
	b.write(addRun, "a", "env", []string{"x"})
	if got := b.answer(held); got.status != 200 || got.summary(t) != "insert a, up-to-date" {
		t.Errorf("%d %s", got.status, got.body)
	}
	asked := time.Now()
	if got := b.get(with(q, "offset", "999999999999999_0")); got.status != 400 || !strings.Contains(got.body, `"offset":["out of bounds for this shape"]`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if d := time.Since(asked); d < 2*time.Second || d > 4*time.Second {
		t.Errorf("held for %s, want half of a long poll of 4 s", d)
	}
}

// TestAlterRotatesAllShapes: the first write after ALTER TABLE ends every shape
// that selects the altered column, whichever row is written, and no other.
func TestAlterRotatesAllShapes(t *testing.T) {
	b := newBench(t, Config{})
	altered, other := with(tagFeed("env", "x"), "columns", "id,number"), tagFeed("env", "x")
	one, two := b.get(altered), b.get(other)
	held := b.hold("held", with(altered, "handle", one.handle(), "offset", "0_inf", "live", "true"))
	b.write(`ALTER TABLE "TaskRun" ALTER COLUMN number TYPE bigint`)
	b.exec(addRun, "a", "elsewhere", []string{"y"})
	if got := b.answer(held); got.status != 409 || got.handle() != "" {
		t.Errorf("held: %d %s", got.status, got.body)
	}
	if got := b.get(with(other, "handle", two.handle(), "offset", "0_inf")); got.status != 200 {
		t.Errorf("other columns: %d %s", got.status, got.body)
	}
	if got := b.get(altered); !strings.Contains(got.header.Get("electric-schema"), `"int8"`) {
		t.Errorf("after: %d %s", got.status, got.header.Get("electric-schema"))
	}
}

// alone does something while nobody else is connected to the database.
func (b *bench) alone(do func()) {
	b.t.Helper()
	config := b.db.Config()
	name := config.Database
	config.Database = "postgres"
	admin, err := pgx.ConnectConfig(b.t.Context(), config)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	allow := func(connections string) {
		if _, err := admin.Exec(b.t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS `+connections); err != nil {
			b.t.Fatal(err)
		}
	}
	allow("false")
	b.write(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	do()
	allow("true")
}

// TestGapRotates: when the slot is lost, every shape starts over.
func TestGapRotates(t *testing.T) {
	b := newBench(t, Config{})
	snap := b.get(tagFeed("env", "x"))
	q := with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf", "live", "true")
	held := b.hold("held", q)
	b.alone(func() {
		b.write(`SELECT pg_drop_replication_slot($1)`, b.server.cfg.Slot)
	})
	if got := b.answer(held); got.status != 409 || got.handle() != "" || got.body != mustRefetch {
		t.Errorf("held: %d %v %s", got.status, got.header, got.body)
	}
	got := b.get(q)
	if got.status != 409 || got.handle() == "" || got.handle() == snap.handle() {
		t.Errorf("next: %d %v", got.status, got.header)
	}
	if snap := b.get(tagFeed("env", "x")); snap.handle() != got.handle() {
		t.Errorf("the new shape is %s, the 409 named %s", snap.handle(), got.handle())
	}
	q = with(tagFeed("env", "x"), "handle", got.handle(), "offset", "0_inf", "live", "true")
	held = b.hold("again", q)
	b.write(addRun, "a", "env", []string{"x"})
	if got := b.answer(held); got.status != 200 || got.summary(t) != "insert a, up-to-date" {
		t.Errorf("after the gap: %d %s", got.status, got.body)
	}
}

// TestConnectionLostIsNoGap: a lost connection costs nothing but time.
func TestConnectionLostIsNoGap(t *testing.T) {
	b := newBench(t, Config{})
	snap := b.get(tagFeed("env", "x"))
	q := with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf", "live", "true")
	held := b.hold("held", q)
	if got := b.health(); got != `200 {"status":"active"}` {
		t.Error(got)
	}
	b.alone(func() {
		b.until("the loss to be noticed", func() bool { return followState(b.server.state.Load()) == waiting })
		if got := b.health(); got != `202 {"status":"waiting"}` {
			t.Error(got)
		}
		b.write(addRun, "a", "env", []string{"x"})
	})
	if got := b.answer(held); got.status != 200 || got.summary(t) != "insert a, up-to-date" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func (b *bench) health() string {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://shapes/v1/health", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	got := b.do(r)
	return fmt.Sprint(got.status, " ", got.body)
}

func TestSecondInstanceIsRefused(t *testing.T) {
	b := newBench(t, Config{})
	second, err := New(t.Context(), b.server.cfg)
	if !errors.Is(err, replication.ErrSlotTaken) || second != nil || !strings.Contains(err.Error(), b.server.cfg.Slot) {
		t.Errorf("%v, %v", second, err)
	}
}

// TestClose answers who waits, refuses who comes, and leaves neither slot nor
// publication nor file.
func TestClose(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Config{SnapshotMemory: 1, TempDir: dir})
	b.exec(addRun, "a", "env", []string{"x"})
	snap := b.get(tagFeed("env", "x"))
	files := func() (n int) {
		links, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, dir) {
				n++
			}
		}
		return n
	}
	if n := files(); n != 1 {
		t.Errorf("%d files are open for one snapshot", n)
	}
	q := with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf", "live", "true")
	held := b.hold("held", q)
	if err := b.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.answer(held); got.status != 200 || got.summary(t) != "up-to-date" {
		t.Errorf("held: %d %s", got.status, got.body)
	}
	if got := b.do(b.request(t.Context(), q)); !errors.Is(got.err, errStopping) {
		t.Errorf("late: %+v", got)
	}
	select {
	case <-b.server.Done():
	default:
		t.Error("Done is open")
	}
	if err := b.server.Err(); err != nil {
		t.Errorf("Err after Close: %v", err)
	}
	if n := files(); n != 0 {
		t.Errorf("%d files are still open", n)
	}
	var left int
	if err := b.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1) + (SELECT count(*) FROM pg_publication)`,
		b.server.cfg.Slot).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d slots and publications are left, %v", left, err)
	}
}

// TestArraysWithoutDimensions: a column made by LIKE is described by its catalog
// name, as Electric describes it.
func TestArraysWithoutDimensions(t *testing.T) {
	b := newBench(t, Config{})
	b.exec(`UPDATE pg_attribute SET attndims = 0 WHERE attrelid = '"TaskRun"'::regclass AND attname = 'runTags'`)
	got := b.get(tagFeed("env")).header.Get("electric-schema")
	want := `{"id":{"type":"text","not_null":true,"pk_index":0},"isTest":{"type":"bool","not_null":true},"runTags":{"type":"_text"},"status":{"type":"TaskRunStatus","not_null":true}}`
	if normalJSON(got) != normalJSON(want) {
		t.Errorf("%s", got)
	}
}
