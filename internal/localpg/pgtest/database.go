package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// template is the database that Database copies.
const template = "pgtest_template"

// Database is the URL of a new database with the platform's tables, empty. It is
// dropped when the test ends, with whatever replication slots it has by then and
// whoever is still connected.
func Database(t testing.TB) string {
	t.Helper()
	server := running(t)
	shared.template.Do(func() { shared.made = makeTemplate(server) })
	if shared.made != nil {
		t.Fatalf("pgtest: make the template database: %v", shared.made)
	}
	return create(t, server, " TEMPLATE "+template)
}

// Empty is the URL of a new database without tables. It goes as Database does.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, running(t), "")
}

// With is the URL of a new database without tables, made with these options of
// CREATE DATABASE. It goes as Database does.
func With(t testing.TB, options string) string {
	t.Helper()
	return create(t, running(t), " "+options)
}

// Slot is a name for a replication slot that no other test has.
func Slot(t testing.TB) string {
	t.Helper()
	return unique("slot")
}

func unique(what string) string { return "pgtest_" + what + "_" + strings.ToLower(rand.Text()) }

func running(t testing.TB) *localpg.Server {
	t.Helper()
	server, err := shared.start()
	if err != nil {
		t.Fatalf("pgtest: start the cluster: %v", err)
	}
	return server
}

func makeTemplate(server *localpg.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := server.CreateDatabase(ctx, template); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, server.URL(template))
	if err != nil {
		return err
	}
	_, err = schema.Migrate(ctx, conn)
	// Nobody may be connected to a database that is copied.
	return errors.Join(err, conn.Close(ctx))
}

func create(t testing.TB, server *localpg.Server, from string) string {
	t.Helper()
	name := unique("db")
	admin(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+name+from)
		return err
	})
	t.Cleanup(func() {
		admin(t, server, func(ctx context.Context, conn *pgx.Conn) error { return drop(ctx, conn, name) })
	})
	return server.URL(name)
}

// admin does something on the cluster's own database.
func admin(t testing.TB, server *localpg.Server, do func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		t.Errorf("pgtest: connect: %v", err)
		return
	}
	if err := errors.Join(do(ctx, conn), conn.Close(ctx)); err != nil {
		t.Errorf("pgtest: %v", err)
	}
}

// drop removes a database. A slot keeps it from being dropped, and a reader keeps
// the slot from being dropped, so the readers are ended first.
func drop(ctx context.Context, conn *pgx.Conn, name string) error {
	const patience = 30_000 // milliseconds
	_, err := conn.Exec(ctx, `
		SELECT pg_terminate_backend(active_pid, $2) FROM pg_replication_slots
		WHERE database = $1 AND active_pid IS NOT NULL`, name, patience)
	if err != nil {
		return fmt.Errorf("end the readers of %s: %w", name, err)
	}
	if _, err := conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1`, name); err != nil {
		return fmt.Errorf("drop the slots of %s: %w", name, err)
	}
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop %s: %w", name, err)
	}
	return nil
}
