package embedded

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// TestSlotIsTakenAway: whoever drops the replication slot, or reads from it, and
// whenever: each reader is told once to start over, and then has what the query
// gives, which is more than the log could tell.
func TestSlotIsTakenAway(t *testing.T) {
	const drop = `SELECT pg_drop_replication_slot($1)`
	write := func(b *bench) { b.write(addRun, "missed", "env", []string{"x", "y"}) }
	for name, take := range map[string]func(*bench){
		"dropped while the server is connected": func(b *bench) { b.seize(drop) },
		"dropped while the connection is down": func(b *bench) {
			b.alone(func() {
				write(b)
				b.write(drop, b.server.cfg.Slot)
			})
		},
		"made anew while the connection is down": func(b *bench) {
			b.alone(func() {
				write(b)
				b.write(drop, b.server.cfg.Slot)
				b.write(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, b.server.cfg.Slot)
			})
		},
		"read by somebody else while the connection is down": func(b *bench) {
			b.alone(func() {
				write(b)
				b.write(`SELECT pg_replication_slot_advance($1, pg_current_wal_flush_lsn())`, b.server.cfg.Slot)
			})
		},
		"the publication dropped": func(b *bench) {
			b.alone(func() {
				write(b)
				b.write(`DROP PUBLICATION ` + b.server.cfg.Slot)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{})
			b.write(addRun, "before", "env", []string{"x", "y"})
			all := b.subscribe(t, manyFeeds()...)
			b.converge(t, 0, all, "first", "x", "y")
			take(b)
			for _, s := range all {
				s.until("the gap", func() bool { return s.restarts > 0 })
			}
			b.converge(t, 1, all, "last", "x", "y")
		})
	}
}

// seize ends the connection that reads the slot, and is faster than the server's
// next one in doing something with the slot. Another connection is there to
// write between the two.
func (b *bench) seize(sql string) {
	b.t.Helper()
	const patience = 10_000 // milliseconds
	other := b.connect()
	for deadline := time.Now().Add(30 * time.Second); ; {
		b.write(`SELECT pg_terminate_backend(active_pid, $2) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL`, b.server.cfg.Slot, patience)
		_, err := other.Exec(b.t.Context(), sql, b.server.cfg.Slot)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// TestLogIsGone: a Postgres that has given up the log that the slot needs, because
// the connection was down for too long, is a gap like any other.
func TestLogIsGone(t *testing.T) {
	p := newPostgres(t, localpg.Config{Disposable: true, Settings: map[string]string{"max_slot_wal_keep_size": "1MB", "max_wal_size": "32MB"}})
	b := newBenchAt(t, p.url(), Config{})
	all := b.subscribe(t, manyFeeds()...)
	b.converge(t, 0, all, "first", "x", "y")
	b.alone(func() {
		b.write(addRun, "missed", "env", []string{"x", "y"})
		for range 4 { // segments of 16 MB
			b.write(`SELECT pg_logical_emit_message(false, 'fill', 'x'), pg_switch_wal()`)
		}
		b.write(`CHECKPOINT`)
		var status string
		if err := b.db.QueryRow(t.Context(), `SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1`, b.server.cfg.Slot).Scan(&status); err != nil || status != "lost" {
			t.Fatalf("the slot's log is %s, %v", status, err)
		}
	})
	b.converge(t, 1, all, "last", "x", "y")
}

// TestSenderTimeout: with a wal_sender_timeout of a second, neither a long silence
// nor a server that is slow to read costs the connection.
func TestSenderTimeout(t *testing.T) {
	for name, pause := range map[string]func(*testing.T, *bench){
		"quiet": func(_ *testing.T, b *bench) { b.write(`SELECT pg_sleep(3)`) },
		"slow": func(t *testing.T, b *bench) {
			sleeper, before := b.connect(), *b.server.hooks.v.Load()
			slow, done := before, make(chan struct{})
			slow.now = func() time.Time { // asked at a commit, by the goroutine that reads the log
				b.server.hooks.set(before)
				defer close(done)
				if _, err := sleeper.Exec(context.Background(), `SELECT pg_sleep(3)`); err != nil {
					t.Error(err)
				}
				return before.now()
			}
			b.server.hooks.set(slow)
			// In the middle of it more comes than all buffers hold.
			b.write(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt")
				SELECT 'r' || i, 'run_' || i, 't', repeat('p', 2000), '', '', 'elsewhere', 'p', 'q', '2026-08-21' FROM generate_series(1, 10000) i`)
			<-done
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchOn(t, pgtest.Database(t), Config{}, []string{"wal_sender_timeout = '1s'"})
			reader := func() (pid int) {
				if err := b.db.QueryRow(t.Context(), `SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1`, b.server.cfg.Slot).Scan(&pid); err != nil {
					t.Fatal(err)
				}
				return pid
			}
			all := b.subscribe(t, manyFeeds()...)
			b.converge(t, 0, all, "first", "x", "y")
			before := reader()
			pause(t, b)
			b.converge(t, 0, all, "last", "x", "y")
			if after := reader(); after != before {
				t.Errorf("the connection was made again: process %d, then %d", before, after)
			}
		})
	}
}

// TestWideValues: a value that is stored out of line is whole in what held readers
// get, also where Postgres leaves it out of the log because it did not change; and
// a condition on such a value holds.
func TestWideValues(t *testing.T) {
	const wide = 1 << 20
	b := newBench(t, Config{})
	b.write(`ALTER TABLE "TaskRun" ALTER payload SET STORAGE EXTERNAL, ALTER "runTags" SET STORAGE EXTERNAL`)
	feed := with(tagFeed("env", "x"), "columns", `"id","payload","number"`)
	all := b.subscribe(t, feed, tagFeed("env", "x"), feed)
	b.write(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags")
		SELECT 'wide', 'run_wide', 't', repeat('é', $1), '', '', 'env', 'p', 'q', '2026-08-21', array_agg('tag' || i) || ARRAY['x'] FROM generate_series(1, 20000) i`, wide/2)
	for i, sql := range []string{
		`SELECT 1`,
		`UPDATE "TaskRun" SET number = number + 1 WHERE id = 'wide'`,                    // nothing wide is sent
		`UPDATE "TaskRun" SET payload = repeat('b', length(payload)) WHERE id = 'wide'`, // the tags are not
		`UPDATE "TaskRun" SET id = 'other' WHERE id = 'wide'`,                           // deleted and inserted, whole
		`UPDATE "TaskRun" SET "runtimeEnvironmentId" = 'elsewhere' WHERE id = 'other'`,
		`UPDATE "TaskRun" SET "runtimeEnvironmentId" = 'env', number = 9 WHERE id = 'other'`, // back, whole
		`UPDATE "TaskRun" SET "runTags" = "runTags"[1:100] WHERE id = 'other'`,               // the payload is not sent
	} {
		b.write(sql)
		b.converge(t, 0, all, fmt.Sprint("after", i), "x")
	}
}
