package replication

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

// TestSlowConsumer: Postgres is answered while the Consumer takes longer over a
// change than wal_sender_timeout, in the middle of a transaction larger than all
// buffers.
func TestSlowConsumer(t *testing.T) {
	b := newBenchWith(t, Config{}, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET wal_sender_timeout = ''1s'''; END $$`)
	sleeper, err := pgx.Connect(t.Context(), b.config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Close(context.Background()) }()
	const rows = 20_000
	slow := func(c Change) {
		if c.Op == 0 || c.Op == rows {
			if _, err := sleeper.Exec(context.Background(), `SELECT pg_sleep(2.5)`); err != nil {
				t.Error(err)
			}
		}
	}
	b.change(func() { b.slow = slow })
	b.exec(fmt.Sprintf(`INSERT INTO a SELECT i, repeat('x', 500) FROM generate_series(1, %d) i`, rows))
	if got := b.transactions(1)[0]; len(got.Changes) != rows || got.Changes[rows-1].Op != 2*(rows-1) {
		t.Errorf("%d changes", len(got.Changes))
	}
	if b.aborted != 0 || b.lost != 0 {
		t.Errorf("%d transactions were cut, %d gaps", b.aborted, b.lost)
	}
}

// TestCutInsideATransaction: what came of it is taken back, and it comes again,
// whole and once.
func TestCutInsideATransaction(t *testing.T) {
	b := newBench(t)
	killer, err := pgx.Connect(t.Context(), b.config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = killer.Close(context.Background()) }()
	const rows = 50_000 // more than the buffers hold
	var once sync.Once
	slow := func(c Change) {
		if c.Op < 1000 {
			return
		}
		once.Do(func() {
			_, err := killer.Exec(context.Background(), `SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = $1`, b.config.Slot)
			if err != nil {
				t.Error(err)
			}
		})
	}
	b.change(func() { b.slow = slow })
	b.exec(`INSERT INTO a VALUES (0)`, fmt.Sprintf(`INSERT INTO a SELECT i, repeat('x', 500) FROM generate_series(1, %d) i`, rows), `DELETE FROM a WHERE id = 0`)
	got := b.transactions(3)
	if len(got[1].Changes) != rows || got[0].text() != "0 insert a >0,NULL,NULL" || got[2].text() != "0 delete a 0,NULL,NULL>" {
		t.Errorf("%d changes between %s and %s", len(got[1].Changes), got[0].text(), got[2].text())
	}
	if b.aborted != 1 || b.lost != 0 || len(b.got) != 3 {
		t.Errorf("%d transactions were cut, %d gaps, %d transactions", b.aborted, b.lost, len(b.got))
	}
}

// TestWideValues: values of 5 MB, stored out of line, also when they do not change
// and are not sent again; an update of the key with them.
func TestWideValues(t *testing.T) {
	b := newBench(t)
	const wide = 5 << 20
	b.exec(fmt.Sprintf(`INSERT INTO a VALUES (1, repeat('x', %d), 1)`, wide), `UPDATE a SET n = 2`, `UPDATE a SET id = 2`, `DELETE FROM a`)
	row := func(id, n string) string { return fmt.Sprintf("%s,x*%d,%s", id, wide, n) }
	for i, want := range []string{
		"0 insert a >" + row("1", "1"), "0 update a " + row("1", "1") + ">" + row("1", "2"),
		"0 update a " + row("1", "2") + ">" + row("2", "2"), "0 delete a " + row("2", "2") + ">",
	} {
		if got := b.transactions(4)[i]; got.text() != want {
			t.Errorf("transaction %d: %s", i, got.text())
		}
	}
}

// TestPostgresRestarts: nothing is lost or repeated when the server crashes and
// comes back.
func TestPostgresRestarts(t *testing.T) {
	config := localpg.Config{Dir: t.TempDir(), Disposable: true}
	server, err := localpg.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { stop() })
	url := server.URL("postgres")
	b := newBenchAt(t, url, Config{})
	write := func(id int) {
		b.exec(fmt.Sprintf(`INSERT INTO a VALUES (%d)`, id))
	}
	write(1)
	b.transactions(1)
	write(2)
	stop()
	b.until(t, "the loss to be noticed", func() bool { return !b.following })
	parsed, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.Port = int(parsed.Port)
	if server, err = localpg.Start(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if b.db, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.db.Close(context.Background()) }()
	write(3)
	var texts []string
	for _, tx := range b.transactions(3) {
		texts = append(texts, tx.text())
	}
	if got := strings.Join(texts, "; "); got != "0 insert a >1,NULL,NULL; 0 insert a >2,NULL,NULL; 0 insert a >3,NULL,NULL" || b.lost != 0 {
		t.Errorf("%s, %d gaps", got, b.lost)
	}
}

// TestOwnLockIsNoOthers: what keeps the lock is this Stream's own last connection,
// of which Postgres does not know that it is gone.
func TestOwnLockIsNoOthers(t *testing.T) {
	b := newBench(t)
	again, err := openControl(t.Context(), b.config, b.stream.control.conn.PgConn().PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec(`INSERT INTO a VALUES (1)`)
	b.transactions(1)
}

// TestLockIsWatched: who loses the lock with its connection takes it again.
func TestLockIsWatched(t *testing.T) {
	b := newBenchWith(t, Config{CheckInterval: 20 * time.Millisecond})
	b.exec(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'realtime-gw control%' AND datname = current_database()`)
	held := func() (n int) {
		if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(patience); held() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the lock is not taken again")
		}
	}
	b.exec(`INSERT INTO a VALUES (1)`)
	if b.transactions(1); b.lost != 0 {
		t.Errorf("%d gaps", b.lost)
	}
}
