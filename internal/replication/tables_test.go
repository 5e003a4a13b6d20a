package replication

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// TestWhatTheLogDoesNotTell: what is done to a table beside the log is noticed,
// announced once, and followed on.
func TestWhatTheLogDoesNotTell(t *testing.T) {
	const made = `CREATE TABLE a (id int PRIMARY KEY, v text, n numeric); ALTER TABLE a REPLICA IDENTITY FULL; `
	for name, sql := range map[string]string{
		"made anew":               `DROP TABLE a; ` + made,
		"made anew under a name":  `ALTER TABLE a RENAME TO old; ` + made,
		"column made anew":        `ALTER TABLE a DROP COLUMN v; ALTER TABLE a ADD COLUMN v text DEFAULT 'w'`,
		"out of the publication":  `DO $$ BEGIN EXECUTE (SELECT 'ALTER PUBLICATION ' || pubname || ' DROP TABLE a' FROM pg_publication); END $$`,
		"publication dropped":     `DO $$ BEGIN EXECUTE (SELECT 'DROP PUBLICATION ' || pubname FROM pg_publication); END $$`,
		"moved to another schema": `CREATE SCHEMA s; ALTER TABLE a SET SCHEMA s; ` + made,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchWith(t, Config{CheckInterval: 20 * time.Millisecond})
			b.exec(`INSERT INTO a VALUES (1)`)
			b.transactions(1)
			b.exec(sql)
			b.until(t, "the gap to be announced", func() bool { return b.lost == 1 })
			b.until(t, "the stream to go on", func() bool { return b.following })
			b.exec(`INSERT INTO a (id) VALUES (2)`)
			got := b.transactions(2)
			if c := got[1].Changes[0]; c.Relation.Table.Name != "a" || c.New[0].Text != "2" {
				t.Error(got[1].text())
			}
			if b.lost != 1 || len(b.got) != 2 {
				t.Errorf("%d gaps, %d transactions", b.lost, len(b.got))
			}
		})
	}
}

// TestWhatTheLogTells needs no announcement.
func TestWhatTheLogTells(t *testing.T) {
	b := newBenchWith(t, Config{CheckInterval: 10 * time.Millisecond})
	b.exec(`INSERT INTO a VALUES (1)`)
	for _, sql := range []string{
		`ALTER TABLE a ADD COLUMN extra text`, `ALTER TABLE a RENAME COLUMN extra TO other`, `ALTER TABLE a ALTER COLUMN n TYPE text`,
		`ALTER TABLE a DROP COLUMN other`, `VACUUM FULL a`, `TRUNCATE a`, `CREATE INDEX ON a (v)`,
	} {
		b.exec(sql, `INSERT INTO a (id, v) VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET v = a.v || 'x'`)
	}
	got := b.transactions(9) // with the truncation
	if last := got[8].text(); b.lost != 0 || last != "0 update a 2,x,NULL>2,xx,NULL" {
		t.Errorf("%d gaps; %s", b.lost, last)
	}
}

// TestTableIsGone: the stream waits for a table that was dropped, and follows the
// others meanwhile.
func TestTableIsGone(t *testing.T) {
	b := newBenchWith(t, Config{CheckInterval: 20 * time.Millisecond})
	b.exec(`DROP TABLE a`)
	b.until(t, "the gap to be announced", func() bool { return b.lost == 1 })
	b.exec(`INSERT INTO "Odd.Name" VALUES (1)`)
	if got := b.transactions(1); got[0].text() != "0 insert Odd.Name >1" {
		t.Error(got[0].text())
	}
	b.exec(`CREATE TABLE a (id int PRIMARY KEY)`, `ALTER TABLE a REPLICA IDENTITY FULL`)
	b.until(t, "the table to be found", func() bool { return b.lost == 2 })
	b.exec(`INSERT INTO a VALUES (1)`)
	if got := b.transactions(2); got[1].text() != "0 insert a >1" {
		t.Error(got[1].text())
	}
}

// TestTableComesBackUnfit: a table without old rows ends the stream, which says
// what to do. A connection that is lost while it is looked at does not.
func TestTableComesBackUnfit(t *testing.T) {
	b := newBenchWith(t, Config{CheckInterval: 20 * time.Millisecond})
	b.exec(`DROP TABLE a`)
	b.until(t, "the gap to be announced", func() bool { return b.lost == 1 })
	b.exec(`CREATE TABLE a (id int PRIMARY KEY)`)
	select {
	case <-b.ended:
	case <-time.After(patience):
		t.Fatal("the stream goes on")
	}
	err := b.stop()
	if !errors.Is(err, errFinal) || !strings.Contains(err.Error(), `ALTER TABLE "public"."a" REPLICA IDENTITY FULL`) {
		t.Errorf("run: %v", err)
	}
	b.stop = func() error { return nil }

	other := b.config
	other.Slot = pgtest.Slot(t)
	lost, err := openControl(t.Context(), other, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := lost.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lost.check(t.Context(), benchTables); err == nil || errors.As(err, new(unfitError)) {
		t.Errorf("a lost connection says %v of the tables", err)
	}
}
