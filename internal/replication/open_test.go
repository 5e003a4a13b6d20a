package replication

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// TestSlotIsRead: whoever reads from the slot is a connection of a dead instance,
// or this one's own last: the name is ours, so it is ended, and nothing is lost.
func TestSlotIsRead(t *testing.T) {
	b := newBench(t)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.exec(`INSERT INTO a VALUES (1)`)
	config, err := pgconn.ParseConfig(b.config.DatabaseURL + "&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close(context.Background()) }()
	for deadline := time.Now().Add(patience); ; { // the stream's own connection may be there a moment longer
		reader.Frontend().SendQuery(&pgproto3.Query{String: "START_REPLICATION SLOT " + b.config.Slot + " LOGICAL 0/0 (proto_version '1', publication_names '" + b.config.Slot + "')"})
		if err := reader.Frontend().Flush(); err != nil {
			t.Fatal(err)
		}
		answer, err := reader.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := answer.(*pgproto3.CopyBothResponse); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", answer)
		}
		if _, err := reader.ReceiveMessage(t.Context()); err != nil { // ready for the next
			t.Fatal(err)
		}
	}
	b.run()
	if got := b.transactions(1)[0].text(); got != "0 insert a >1,NULL,NULL" || b.lost != 0 {
		t.Errorf("%s, %d gaps", got, b.lost)
	}
}

// TestPublicationIsGone: Postgres says so at the next change, long before anybody
// looks.
func TestPublicationIsGone(t *testing.T) {
	b := newBenchWith(t, Config{CheckInterval: time.Hour})
	b.exec(`DROP PUBLICATION `+b.config.Slot, `INSERT INTO a VALUES (1)`)
	b.until(t, "the gap to be announced", func() bool { return b.lost == 1 })
	b.until(t, "the stream to go on", func() bool { return b.following })
	b.exec(`INSERT INTO a VALUES (2)`)
	if got := b.transactions(1)[0].text(); got != "0 insert a >2,NULL,NULL" {
		t.Error(got)
	}
}

// TestOpenSaysWhatARoleMayNot do.
func TestOpenSaysWhatARoleMayNot(t *testing.T) {
	at := pgtest.Empty(t)
	db, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	role := pgtest.Slot(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`CREATE TABLE a (id int PRIMARY KEY)`)
	exec(`ALTER TABLE a REPLICA IDENTITY FULL`)
	exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'p4ssw0rd'`)
	exec(`GRANT CREATE ON DATABASE ` + db.Config().Database + ` TO ` + role)
	defer func() {
		for _, sql := range []string{`DROP OWNED BY ` + role, `DROP ROLE ` + role} {
			if _, err := db.Exec(context.Background(), sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Slot: pgtest.Slot(t), Tables: benchTables[:1]}
	for _, step := range []struct{ password, sql, want string }{
		{"wr0ng", `SELECT 1`, "password authentication failed"},
		{"p4ssw0rd", `SELECT 1`, "must be owner of table a"},
		{"p4ssw0rd", `ALTER TABLE a OWNER TO ` + role, "replication"},
	} {
		exec(step.sql)
		u.User = url.UserPassword(role, step.password)
		config.DatabaseURL = u.String()
		s, err := Open(t.Context(), config)
		if s != nil || err == nil || !strings.Contains(err.Error(), step.want) || strings.Contains(err.Error(), step.password) {
			t.Errorf("after %s: %v, want %q", step.sql, err, step.want)
		}
	}
	exec(`ALTER ROLE ` + role + ` REPLICATION`)
	s, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestOpenGivesUp: it waits for transactions that are open, as long as it may; what
// it has made by then is no hindrance for the next.
func TestOpenGivesUp(t *testing.T) {
	b := newBench(t)
	other := b.config
	other.Slot = pgtest.Slot(t)
	b.exec(`BEGIN`, `INSERT INTO a VALUES (1)`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	s, err := Open(ctx, other)
	if s != nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `create the replication slot "`+other.Slot+`"`) {
		t.Fatalf("%v", err)
	}
	b.exec(`COMMIT`)
	for deadline := time.Now().Add(patience); ; { // until Postgres has noticed that the connection is gone
		if s, err = Open(t.Context(), other); !errors.Is(err, ErrSlotTaken) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWalLevel: a Postgres that writes no logical log is told apart, with what to do.
func TestWalLevel(t *testing.T) {
	server, err := localpg.Start(t.Context(), localpg.Config{Dir: t.TempDir(), Disposable: true, Settings: map[string]string{"wal_level": "replica"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	s, err := Open(t.Context(), Config{DatabaseURL: server.URL("postgres"), Slot: pgtest.Slot(t), Tables: benchTables})
	if s != nil || err == nil || !strings.Contains(err.Error(), "wal_level is replica: set wal_level = logical in postgresql.conf and restart Postgres") {
		t.Errorf("%v", err)
	}
}

// TestStatusInterval: Postgres is told three times in its own patience, and at the
// interval that was asked for if it has more, or no end of it.
func TestStatusInterval(t *testing.T) {
	b := newBenchWith(t, Config{StatusInterval: 7 * time.Second})
	for setting, want := range map[string]time.Duration{"0": 7 * time.Second, "3s": time.Second, "1min": 7 * time.Second} {
		b.exec(`DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET wal_sender_timeout = ''` + setting + `'''; END $$`)
		conn, err := b.stream.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.stream.statusInterval(t.Context(), conn); err != nil || got != want {
			t.Errorf("wal_sender_timeout %s: every %s, %v; want %s", setting, got, err, want)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
