package pgtest

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

func TestMain(m *testing.M) { Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func count(t *testing.T, conn *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestDatabasesAreApart(t *testing.T) {
	var wg sync.WaitGroup
	urls := make([]string, 3)
	for i := range urls {
		wg.Go(func() { urls[i] = Database(t) })
	}
	wg.Wait()
	for _, url := range urls {
		conn := connect(t, url)
		if n := count(t, conn, `SELECT count(*) FROM "Organization"`); n != 0 {
			t.Errorf("a new database has %d organizations", n)
		}
		if _, err := conn.Exec(t.Context(), `INSERT INTO "Organization" (id, slug, title) VALUES ('o', 'o', 'O')`); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, connect(t, Empty(t)), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`); n != 0 {
		t.Errorf("an empty database has %d tables", n)
	}
}

// A test that fails leaves clients, readers and slots; the database goes anyway.
func TestDatabaseGoesWithItsSlots(t *testing.T) {
	var name string
	slot := Slot(t)
	t.Run("leaves a reader", func(t *testing.T) {
		url := Database(t)
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database
		if _, err := conn.Exec(t.Context(), `SELECT pg_create_logical_replication_slot($1, 'pgoutput'), pg_create_logical_replication_slot($1 || '_idle', 'pgoutput')`, slot); err != nil {
			t.Fatal(err)
		}
		config, err := pgconn.ParseConfig(url + "&replication=database")
		if err != nil {
			t.Fatal(err)
		}
		reader, err := pgconn.ConnectConfig(context.Background(), config)
		if err != nil {
			t.Fatal(err)
		}
		reader.Frontend().SendQuery(&pgproto3.Query{String: "START_REPLICATION SLOT " + slot + " LOGICAL 0/0 (proto_version '1', publication_names 'none')"})
		if err := reader.Frontend().Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.ReceiveMessage(t.Context()); err != nil { // it is reading
			t.Fatal(err)
		}
	})
	admin := connect(t, shared.server.URL("postgres"))
	if n := count(t, admin, `SELECT count(*) FROM pg_database WHERE datname = $1`, name); n != 0 {
		t.Errorf("%s is still there", name)
	}
	if n := count(t, admin, `SELECT count(*) FROM pg_replication_slots`); n != 0 {
		t.Errorf("%d slots are still there", n)
	}
}
