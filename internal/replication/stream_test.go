package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 30 * time.Second

// collected is a whole transaction.
type collected struct {
	Transaction
	Changes []Change
	EndLSN  LSN
}

// recorder is a Consumer that keeps what it gets.
type recorder struct {
	mu        sync.Mutex
	cond      *sync.Cond
	open      *collected
	got       []collected
	aborted   int
	lost      int
	following bool
	position  LSN
	slow      func(Change) // called with every change, outside the lock
}

func newRecorder() *recorder {
	r := &recorder{}
	r.cond = sync.NewCond(&r.mu)
	return r
}

func (r *recorder) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	r.cond.Broadcast()
}

func (r *recorder) Begin(tx Transaction) { r.change(func() { r.open = &collected{Transaction: tx} }) }
func (r *recorder) Change(c Change) {
	r.mu.Lock()
	slow := r.slow
	r.mu.Unlock()
	if slow != nil {
		slow(c)
	}
	r.change(func() { r.open.Changes = append(r.open.Changes, c) })
}

func (r *recorder) Commit() {
	r.change(func() {
		if len(r.open.Changes) > 0 {
			r.got = append(r.got, *r.open)
		}
		r.open = nil
	})
}
func (r *recorder) Abort()            { r.change(func() { r.open, r.aborted = nil, r.aborted+1 }) }
func (r *recorder) Lost()             { r.change(func() { r.lost++ }) }
func (r *recorder) Following(on bool) { r.change(func() { r.following = on }) }

func (r *recorder) Position(lsn LSN) {
	r.change(func() {
		r.position = lsn
		if n := len(r.got); n > 0 && r.got[n-1].EndLSN == 0 {
			r.got[n-1].EndLSN = lsn
		}
	})
}

func (r *recorder) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.AfterFunc(patience+time.Second, r.cond.Broadcast)
	defer late.Stop()
	deadline := time.Now().Add(patience)
	r.mu.Lock()
	defer r.mu.Unlock()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s; have %d transactions", patience, what, len(r.got))
		}
		r.cond.Wait()
	}
}

// bench is a stream over two small tables, running.
type bench struct {
	*recorder
	t      *testing.T
	config Config
	db     *pgx.Conn
	stream *Stream
	stop   func() error // ends Run and returns what it returned
	ended  <-chan struct{}
}

var benchTables = []Table{{"public", "a"}, {"public", "Odd.Name"}}

func newBench(t *testing.T) *bench { return newBenchWith(t, Config{}) }

// newBenchWith runs setup in the new database first.
func newBenchWith(t *testing.T, config Config, setup ...string) *bench {
	t.Helper()
	return newBenchAt(t, pgtest.Empty(t), config, setup...)
}

func newBenchAt(t *testing.T, url string, config Config, setup ...string) *bench {
	t.Helper()
	b := &bench{recorder: newRecorder(), t: t, config: config}
	b.config.DatabaseURL, b.config.Slot, b.config.Tables = url, pgtest.Slot(t), benchTables
	db, err := pgx.Connect(t.Context(), b.config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	b.db = db
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	b.exec(setup...)
	b.exec(`CREATE TABLE a (id int PRIMARY KEY, v text, n numeric)`,
		`CREATE TABLE "Odd.Name" (id int PRIMARY KEY)`, `CREATE TABLE other (id int)`,
		`ALTER TABLE a REPLICA IDENTITY FULL`, `ALTER TABLE "Odd.Name" REPLICA IDENTITY FULL`,
		`ALTER TABLE a ALTER v SET STORAGE EXTERNAL`)
	if b.stream, err = Open(t.Context(), b.config); err != nil {
		t.Fatal(err)
	}
	b.run()
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
		if err := b.stream.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	b.until(t, "the stream to be connected", func() bool { return b.following })
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = b.stream.Run(ctx, b.recorder)
	}()
	b.ended = ended
	b.stop = func() error {
		cancel()
		<-ended
		return err
	}
}

func (b *bench) exec(statements ...string) {
	b.t.Helper()
	for _, sql := range statements {
		if _, err := b.db.Exec(b.t.Context(), sql); err != nil {
			b.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// transactions waits for n transactions.
func (b *bench) transactions(n int) []collected {
	b.t.Helper()
	b.until(b.t, fmt.Sprintf("%d transactions", n), func() bool { return len(b.got) >= n })
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]collected(nil), b.got...)
}

func (t Tuple) text() string {
	var parts []string
	for _, v := range t {
		switch {
		case v.Null:
			parts = append(parts, "NULL")
		case len(v.Text) > 20:
			parts = append(parts, fmt.Sprintf("%s*%d", v.Text[:1], len(v.Text)))
		default:
			parts = append(parts, v.Text)
		}
	}
	return strings.Join(parts, ",")
}

func (tx collected) text() string {
	var parts []string
	for _, c := range tx.Changes {
		kind := map[Kind]string{Insert: "insert", Update: "update", Delete: "delete", Truncate: "truncate"}[c.Kind]
		parts = append(parts, fmt.Sprintf("%d %s %s %s>%s", c.Op, kind, c.Relation.Table.Name, c.Old.text(), c.New.text()))
	}
	return strings.Join(parts, "; ")
}

func TestChangesInCommitOrder(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("x", 3000)
	b.exec(
		`BEGIN`, `INSERT INTO a VALUES (1, '`+long+`', 1.50)`, `INSERT INTO "Odd.Name" VALUES (7)`, `INSERT INTO other VALUES (1)`,
		`SAVEPOINT s`, `INSERT INTO a VALUES (9, 'gone', NULL)`, `ROLLBACK TO s`, `UPDATE a SET n = NULL`, `COMMIT`,
		`INSERT INTO other VALUES (2)`,
		`BEGIN`, `DELETE FROM a`, `ROLLBACK`,
		`UPDATE a SET id = 2`,
		`DELETE FROM a`,
		`TRUNCATE a, "Odd.Name"`,
	)
	got := b.transactions(4)
	want := []string{
		`0 insert a >1,x*3000,1.50; 2 insert Odd.Name >7; 4 update a 1,x*3000,1.50>1,x*3000,NULL`,
		`0 update a 1,x*3000,NULL>2,x*3000,NULL`,
		`0 delete a 2,x*3000,NULL>`,
		`0 truncate a >; 2 truncate Odd.Name >`,
	}
	for i, tx := range got {
		if tx.text() != want[i] {
			t.Errorf("transaction %d: %s\nwant %s", i, tx.text(), want[i])
		}
		if tx.XID == 0 || i < 3 && tx.EndLSN <= tx.CommitLSN || i > 0 && tx.CommitLSN < got[i-1].EndLSN {
			t.Errorf("transaction %d: id %d, commit %s to %s", i, tx.XID, tx.CommitLSN, tx.EndLSN)
		}
	}
	if got[0].CommitLSN < b.stream.Start() {
		t.Errorf("%s is before the start %s", got[0].CommitLSN, b.stream.Start())
	}
}

// TestPositionGrowsWithoutChanges: writes to other tables move the position.
func TestPositionGrowsWithoutChanges(t *testing.T) {
	b := newBench(t)
	b.exec(`INSERT INTO other VALUES (1)`)
	var lsn string
	if err := b.db.QueryRow(t.Context(), `SELECT (pg_current_wal_flush_lsn() - '0/0')::text`).Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	b.until(t, "position "+lsn, func() bool { return len(b.position.String()) >= len(lsn) && b.position.String() >= lsn })
	if len(b.got) != 0 {
		t.Errorf("got %s", b.got[0].text())
	}
}

// TestRelationChanges: a change after ALTER TABLE has another Relation, one
// without has the same.
func TestRelationChanges(t *testing.T) {
	b := newBench(t)
	b.exec(`INSERT INTO a VALUES (1)`, `INSERT INTO a VALUES (2)`,
		`ALTER TABLE a ADD COLUMN extra varchar(5) DEFAULT 'e'`, `INSERT INTO a VALUES (3)`)
	got := b.transactions(3)
	r := []*Relation{got[0].Changes[0].Relation, got[1].Changes[0].Relation, got[2].Changes[0].Relation}
	if r[0] != r[1] || r[1] == r[2] || r[0].Index("extra") != -1 || r[2].Index("extra") != 3 {
		t.Errorf("%+v, %+v, %+v", r[0], r[1], r[2])
	}
	if c := r[2].Columns[3]; c.TypeOID != 1043 || c.Modifier != 9 {
		t.Errorf("%+v", c)
	}
	if got[2].text() != "0 insert a >3,NULL,NULL,e" {
		t.Error(got[2].text())
	}
}

// TestValuesAreWrittenAsElectricWritesThem under SessionSettings.
func TestValuesAreWrittenAsElectricWritesThem(t *testing.T) {
	b := newBench(t)
	b.exec(`SET DateStyle = 'German'`, `SET TimeZone = 'Asia/Tokyo'`, `ALTER TABLE a ADD d timestamptz, ADD i interval, ADD f float8, ADD b bytea, ADD o bool`,
		`INSERT INTO a VALUES (1, '', 1.0, '2026-08-21 07:49:12.123456+00', '1 day 2 hours', 0.1, '\x00ff', true)`)
	if got := b.transactions(1)[0].Changes[0].New.text(); got != `1,,1.0,2*29,P1DT2H,0.1,\x00ff,t` {
		t.Error(got)
	}
	if got := b.got[0].Changes[0].New[3].Text; got != "2026-08-21 07:49:12.123456+00" {
		t.Error(got)
	}
}

// TestNothingIsLostOrRepeated when connections are cut while transactions come.
func TestNothingIsLostOrRepeated(t *testing.T) {
	b := newBench(t)
	const n = 200
	for i := range n {
		b.exec(fmt.Sprintf(`INSERT INTO a VALUES (%d, repeat('x', 500))`, i))
		if i%40 == 20 {
			b.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		}
	}
	for i, tx := range b.transactions(n) {
		if want := fmt.Sprintf("0 insert a >%d,x*500,NULL", i); tx.text() != want {
			t.Fatalf("transaction %d is %s", i, tx.text())
		}
	}
	if b.lost != 0 {
		t.Errorf("%d gaps were announced", b.lost)
	}
}

// TestLostSlot: where the slot is gone, or is not where it was left, the consumer
// is told before anything that came later.
func TestLostSlot(t *testing.T) {
	const drop = `SELECT pg_drop_replication_slot('%s')`
	for name, done := range map[string][]string{
		"dropped":                {drop},
		"dropped and made anew":  {drop, `SELECT pg_create_logical_replication_slot('%s', 'pgoutput')`},
		"moved on":               {`SELECT pg_replication_slot_advance('%s', pg_current_wal_flush_lsn())`},
		"read by somebody else":  {`SELECT count(*) FROM pg_logical_slot_get_binary_changes('%[1]s', NULL, NULL, 'proto_version', '1', 'publication_names', '%[1]s')`},
		"dropped with the table": {`DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text, n numeric); ALTER TABLE a REPLICA IDENTITY FULL`, drop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.exec(`INSERT INTO a VALUES (1)`)
			b.transactions(1)
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			// Postgres may not know yet that the reader has gone.
			b.exec(`INSERT INTO a VALUES (2)`, fmt.Sprintf(`SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots
				WHERE slot_name = '%s' AND active_pid IS NOT NULL`, b.config.Slot))
			for _, sql := range done {
				if strings.Contains(sql, "%") {
					sql = fmt.Sprintf(sql, b.config.Slot)
				}
				b.exec(sql)
			}
			b.run()
			b.until(t, "the gap to be announced", func() bool { return b.lost > 0 })
			b.until(t, "the stream to go on", func() bool { return b.following })
			b.exec(`INSERT INTO a VALUES (3)`)
			if got := b.transactions(2); got[1].text() != "0 insert a >3,NULL,NULL" {
				t.Error(got[1].text())
			}
		})
	}
}

// TestSecondInstance: only one at a time, and the name is free after Close.
func TestSecondInstance(t *testing.T) {
	b := newBench(t)
	if _, err := Open(t.Context(), b.config); !errors.Is(err, ErrSlotTaken) || !strings.Contains(err.Error(), "stop it, or give this one a slot name of its own") {
		t.Errorf("%v", err)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.stream.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := b.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1)`,
		b.config.Slot).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d slots and publications are left, %v", left, err)
	}
	again, err := Open(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	b.stream = again // for the clean-up
}

// TestDeadInstancesSlot: what a killed process left, a reader that Postgres still
// believes in among it, does not keep the next one away.
func TestDeadInstancesSlot(t *testing.T) {
	b := newBench(t)
	b.exec(`INSERT INTO a VALUES (1)`)
	b.transactions(1)
	// The lock goes with its connection, the reader stays.
	b.exec(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'realtime-gw control%' AND datname = current_database()`)
	next, err := Open(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	// The old instance finds its name taken, and gives up.
	select {
	case <-b.ended:
	case <-time.After(patience):
		t.Error("the old instance goes on")
	}
	if err := b.stop(); !errors.Is(err, ErrSlotTaken) {
		t.Errorf("run: %v", err)
	}
	b.stop = func() error { return nil }
	if err := b.stream.Close(t.Context()); err != nil {
		t.Errorf("close of the old instance: %v", err)
	}
	b.stream = next
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	url := pgtest.Empty(t)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	if _, err := db.Exec(t.Context(), `CREATE TABLE a (id int PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		"REPLICA IDENTITY FULL":             {DatabaseURL: url, Slot: pgtest.Slot(t), Tables: []Table{{"public", "a"}}},
		`table "public"."b" does not exist`: {DatabaseURL: url, Slot: pgtest.Slot(t), Tables: []Table{{"public", "b"}}},
		"lower case letters":                {DatabaseURL: url, Slot: `x"; DROP`, Tables: []Table{{"public", "a"}}},
		"encoding is LATIN1":                {DatabaseURL: pgtest.With(t, `ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`), Slot: pgtest.Slot(t), Tables: []Table{{"public", "a"}}},
		"encoding is SQL_ASCII":             {DatabaseURL: pgtest.With(t, `ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`), Slot: pgtest.Slot(t), Tables: []Table{{"public", "a"}}},
		"no tables":                         {DatabaseURL: url, Slot: "x"},
		"cannot be read":                    {DatabaseURL: "postgres://u:SECRET@[", Slot: "x", Tables: benchTables},
	} {
		s, err := Open(t.Context(), c)
		if err == nil || s != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	var left int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d locks are left, %v", left, err)
	}
}
