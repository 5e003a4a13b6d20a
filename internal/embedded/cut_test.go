package embedded

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// grow writes n runs of an environment, a second apart.
func (b *bench) grow(env string, n int) {
	b.t.Helper()
	for range n {
		b.later(time.Second)
		b.write(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt")
			VALUES ('r' || nextval('"TaskRun_number_seq"'), 'run_' || gen_random_uuid(), 't', repeat('p', 500), '', '', $1, 'p', 'q', '2026-08-21')`, env)
	}
	b.caughtUp()
}

func wideFeed(env string) url.Values { return with(tagFeed(env), "columns", "id,payload") }

// TestLogInUseIsCutShort: a log that outgrows its share is cut under a reader who
// does not notice. A newcomer gets a shape of their own, whole; who was away for
// long starts over once.
func TestLogInUseIsCutShort(t *testing.T) {
	const share = 20_000
	b := newBench(t, Config{ShapeBytes: share})
	b.write(`CREATE SEQUENCE IF NOT EXISTS "TaskRun_number_seq"`)
	follower := &reader{rows: map[string]map[string]string{}}
	first := b.get(wideFeed("env"))
	last := first
	for range 40 {
		b.grow("env", 5)
		last = b.get(with(wideFeed("env"), "handle", first.handle(), "offset", last.offset()))
		if last.status != 200 {
			t.Fatalf("the follower: %d %s", last.status, last.body)
		}
		if err := follower.apply(last.body); err != nil {
			t.Fatal(err)
		}
	}
	// In two minutes 120 runs are written, of about 800 bytes each.
	if most := b.server.ledger.memory.Load(); most > share+120*900 || most == 0 {
		t.Errorf("%d bytes are in memory after 200 runs", most)
	}
	if want := b.rows(wideFeed("env")); !maps.EqualFunc(follower.rows, want, maps.Equal) {
		t.Errorf("the follower has %d rows of %d%s", len(follower.rows), len(want), firstDifference(follower.rows, want))
	}
	newcomer, snap := &reader{rows: map[string]map[string]string{}}, b.get(wideFeed("env"))
	if snap.handle() == first.handle() {
		t.Error("a newcomer gets the shape whose log was cut")
	}
	if err := newcomer.apply(snap.body); err != nil || len(newcomer.rows) != 200 {
		t.Errorf("a newcomer has %d rows, %v", len(newcomer.rows), err)
	}
	if got := b.get(with(wideFeed("env"), "handle", first.handle(), "offset", "0_inf")); got.status != 409 || got.handle() != "" {
		t.Errorf("who was away: %d %v", got.status, got.header)
	}
	// Both shapes go on, under their own handles.
	b.grow("env", 1)
	for _, at := range []reply{last, snap} {
		got := b.get(with(wideFeed("env"), "handle", at.handle(), "offset", at.offset()))
		if got.status != 200 || strings.Count(got.body, `"insert"`) != 1 {
			t.Errorf("%s goes on with %d %s", at.handle(), got.status, got.summary(t))
		}
	}
	// The former one goes when nobody has read it for a minute.
	b.later(time.Minute)
	b.get(with(wideFeed("env"), "handle", snap.handle(), "offset", "0_inf"))
	b.grow("env", 1)
	if n := len(b.server.all()); n != 1 {
		t.Errorf("%d shapes are left", n)
	}
}

// TestReaderIsNotCutOff: what a reader of the last minute may come back to stays,
// however long the log.
func TestReaderIsNotCutOff(t *testing.T) {
	b := newBench(t, Config{ShapeBytes: 5000})
	b.write(`CREATE SEQUENCE IF NOT EXISTS "TaskRun_number_seq"`)
	snap := b.get(wideFeed("env"))
	b.grow("env", 59)
	got := b.get(with(wideFeed("env"), "handle", snap.handle(), "offset", "0_inf"))
	if got.status != 200 || strings.Count(got.body, `"insert"`) != 59 {
		t.Errorf("%d with %d rows", got.status, strings.Count(got.body, `"insert"`))
	}
	b.grow("env", 70)
	if n := len(b.server.all()); n != 0 {
		t.Errorf("%d shapes are left of one that outgrew its share and was not read for a minute", n)
	}
}

// TestFormerShapes: a definition that outgrows its share again and again, with
// a reader at the end of every shape, has no more than a few of them.
func TestFormerShapes(t *testing.T) {
	b := newBench(t, Config{ShapeBytes: 4000, KeepFor: time.Hour})
	b.write(`CREATE SEQUENCE IF NOT EXISTS "TaskRun_number_seq"`)
	var readers []reply
	refused := 0
	for i := range 8 {
		readers = append(readers, b.get(wideFeed("env")))
		for range 3 {
			b.later(2 * time.Hour)
			for j, r := range readers {
				if r.status != 200 {
					continue
				}
				got := b.get(with(wideFeed("env"), "handle", r.handle(), "offset", r.offset()))
				if got.status != 200 {
					refused++
				}
				readers[j] = got
			}
			b.grow("env", 4)
		}
		if n := len(b.server.all()); n > maxFormer+1 {
			t.Errorf("%d shapes of one definition in round %d", n, i)
		}
	}
	if refused == 0 || refused > 8-maxFormer {
		t.Errorf("%d of 8 readers started over", refused)
	}
}

// TestLargeTransaction: what one transaction may add to a shape is bounded: a
// shape for which it is more starts over with a snapshot; others take it whole.
func TestLargeTransaction(t *testing.T) {
	b := newBench(t, Config{MemoryBytes: 4 << 20, ShapeBytes: 1 << 20})
	large, small := b.get(wideFeed("large")), b.get(wideFeed("small"))
	heldLarge := b.hold("large", with(wideFeed("large"), "handle", large.handle(), "offset", "0_inf", "live", "true"))
	heldSmall := b.hold("small", with(wideFeed("small"), "handle", small.handle(), "offset", "0_inf", "live", "true"))
	b.exec(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt")
		SELECT 'r' || i, 'run_' || i, 't', repeat('p', 300), '', '', CASE WHEN i % 100 = 0 THEN 'small' ELSE 'large' END, 'p', 'q', '2026-08-21' FROM generate_series(1, 20000) i`)
	if got := b.answer(heldLarge); got.status != 409 {
		t.Errorf("the large shape: %d, %d bytes", got.status, len(got.body))
	}
	if got := b.answer(heldSmall); got.status != 200 || strings.Count(got.body, `"insert"`) != 200 || strings.Count(got.body, `"last":true`) != 1 {
		t.Errorf("the small shape: %d, %d rows", got.status, strings.Count(got.body, `"insert"`))
	}
	if got := b.get(wideFeed("large")); got.status != 200 || strings.Count(got.body, `"insert"`) != 19800 {
		t.Errorf("the large shape again: %d, %d rows", got.status, strings.Count(got.body, `"insert"`))
	}
}

// TestShapeInsideATransaction: a shape that is made while a transaction is being
// read has the whole of it in its snapshot, and nothing of it in its log.
func TestShapeInsideATransaction(t *testing.T) {
	b := newBench(t, Config{})
	b.get(tagFeed("env"))
	var snaps []reply
	made := make(chan struct{})
	go func() {
		defer close(made)
		for i := range 12 {
			snaps = append(snaps, b.do(b.request(t.Context(), tagFeed("env", fmt.Sprint("t", i)))))
		}
	}()
	tags := make([]string, 12)
	for i := range tags {
		tags[i] = fmt.Sprint("t", i)
	}
	for round := range 3 {
		b.write(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags")
			SELECT 'r' || i, 'run_' || i, 't', '', '', '', 'env', 'p', 'q', '2026-08-21', $1 FROM generate_series($2::int, $2::int + 499) i`, tags, 500*round)
	}
	<-made
	b.caughtUp()
	for i, snap := range snaps {
		r := &reader{rows: map[string]map[string]string{}}
		if snap.err != nil || snap.status != 200 || r.apply(snap.body) != nil {
			t.Fatalf("shape %d: %d %v", i, snap.status, snap.err)
		}
		got := b.get(with(tagFeed("env", fmt.Sprint("t", i)), "handle", snap.handle(), "offset", "0_inf"))
		if err := r.apply(got.body); err != nil || len(r.rows) != 1500 {
			t.Errorf("shape %d has %d rows, %v", i, len(r.rows), err)
		}
	}
}

// TestShapeWaitsForTheOpenTransaction: the transaction that is being read when a
// shape is made is in its snapshot: of its log it would have the rest alone.
func TestShapeWaitsForTheOpenTransaction(t *testing.T) {
	b := newBench(t, Config{})
	tx, err := b.connect().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var xid uint32
	if err := tx.QueryRow(t.Context(), `SELECT pg_current_xact_id()::xid`).Scan(&xid); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), addRun, "r", "env", []string{"x"}); err != nil {
		t.Fatal(err)
	}
	f := &follower{server: b.server}
	f.Begin(replication.Transaction{XID: xid, CommitLSN: 1})
	held := b.hold("new", tagFeed("env", "x"))
	if _, err := b.db.Exec(t.Context(), `SELECT pg_sleep(0.3)`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.answer(held); got.status != 200 || got.summary(t) != "insert r, snapshot-end" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
