package check_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/check"
	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// cluster starts a server of the test's own with these settings, and gives the
// URL of a database with the tables.
func cluster(t *testing.T, dir string, settings map[string]string) (url string, stop func()) {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Config{Dir: dir, Disposable: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	if err := server.CreateDatabase(t.Context(), "runs"); err != nil {
		t.Fatal(err)
	}
	url = server.URL("runs")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return url, stop
}

// A server as Postgres is out of the box, and small: what has to be set is
// printed, and is enough after a restart.
func TestServerSettings(t *testing.T) {
	dir, err := os.MkdirTemp("", "check-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // the server may run as another user
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	url, stop := cluster(t, state, map[string]string{
		"wal_level": "replica", "max_replication_slots": "1", "max_wal_senders": "0", "max_slot_wal_keep_size": "-1",
	})
	conn := connect(t, url)
	run(t, conn, "SELECT pg_create_physical_replication_slot('standby')")
	lines := look(t, check.Config{DatabaseURL: url, EmbeddedSlot: "own"})
	expect(t, lines,
		found{check.Error, database, "wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical' -- then restart Postgres"},
		found{check.Warning, database, "max_slot_wal_keep_size is not set", "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf() -- less than the disk has to spare"},
		found{check.Error, "REALTIME_GW_EMBEDDED", "all 1 replication slots are taken (max_replication_slots)", "ALTER SYSTEM SET max_replication_slots = 5 -- then restart Postgres"},
		found{check.Error, "REALTIME_GW_EMBEDDED", "all 0 connections for replication are taken (max_wal_senders)", "ALTER SYSTEM SET max_wal_senders = 4 -- then restart Postgres"})
	mend(t, conn, lines)
	_ = conn.Close(t.Context())
	stop()

	// The command line of a server that was started for a test wins over ALTER
	// SYSTEM: what that wrote is read, and given there.
	url, _ = cluster(t, state, autoConf(t, state))
	green(t, look(t, check.Config{DatabaseURL: url, EmbeddedSlot: "own"}))
	if got := showWalKeep(t, url); got != "20GB" {
		t.Errorf("a slot keeps %s", got)
	}
}

func autoConf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "postgresql.auto.conf"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok && !strings.HasPrefix(line, "#") {
			settings[name] = strings.Trim(value, "'")
		}
	}
	if len(settings) != 4 {
		t.Errorf("ALTER SYSTEM wrote %v", settings)
	}
	return settings
}

func showWalKeep(t *testing.T, url string) (value string) {
	t.Helper()
	if err := connect(t, url).QueryRow(t.Context(), "SHOW max_slot_wal_keep_size").Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// A slot that nobody reads keeps WAL.
func TestInactiveSlot(t *testing.T) {
	url := pgtest.Database(t)
	conn := connect(t, url)
	slot := pgtest.Slot(t)
	run(t, conn, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	config := check.Config{DatabaseURL: url}
	lines := look(t, config)
	expect(t, lines, found{check.Warning, database, "nobody reads replication slot " + slot,
		"SELECT pg_drop_replication_slot('" + slot + "') -- if whoever read it will not come back; else start that again"})
	green(t, look(t, check.Config{DatabaseURL: url, EmbeddedSlot: slot})) // which is made anew
	mend(t, conn, lines)
	green(t, look(t, config))
}

// The embedded upstream needs more of its user than reading.
func TestEmbeddedRights(t *testing.T) {
	url := pgtest.Database(t)
	conn := connect(t, url)
	name, as := role(t, conn, url)
	run(t, conn, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name)
	config := check.Config{DatabaseURL: as, EmbeddedSlot: pgtest.Slot(t)}
	lines := look(t, config)
	const about = "REALTIME_GW_EMBEDDED"
	expect(t, lines,
		found{check.Error, about, name + " may not replicate", "ALTER ROLE " + name + " REPLICATION"},
		found{check.Error, about, name + " may not make a publication", "GRANT CREATE ON DATABASE " + conn.Config().Database + " TO " + name},
		found{check.Error, about, name + ` does not own table public."TaskRun"`, `ALTER TABLE public."TaskRun" OWNER TO ` + name},
		found{check.Error, about, name + " does not own table public.task_run_v2", "ALTER TABLE public.task_run_v2 OWNER TO " + name})
	green(t, look(t, check.Config{DatabaseURL: as})) // Electric has a user of its own
	mend(t, conn, lines)
	green(t, look(t, config))
}

func TestEncoding(t *testing.T) {
	url := pgtest.With(t, "ENCODING 'SQL_ASCII' TEMPLATE template0")
	if _, err := schema.Migrate(t.Context(), connect(t, url)); err != nil {
		t.Fatal(err)
	}
	expect(t, look(t, check.Config{DatabaseURL: url, EmbeddedSlot: pgtest.Slot(t)}),
		found{check.Error, "REALTIME_GW_EMBEDDED", "the database's encoding is SQL_ASCII", "CREATE DATABASE runs ENCODING 'UTF8' TEMPLATE template0 -- and copy the data into it"})
}

// A database that cannot be asked is one line, with what Postgres itself says, and
// the password in none of it.
func TestConnections(t *testing.T) {
	good := pgtest.Database(t)
	config, err := pgx.ParseConfig(good)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	other := pgtest.Empty(t)
	for name, c := range map[string]struct{ url, says, mend string }{
		"refused":        {"postgres://u:" + sesame + "@127.0.0.1:1/x", "connection refused", "set DATABASE_URL to postgres://user:password@host:5432/name, of a database that is running and can be reached from here"},
		"silent":         {"postgres://u:" + sesame + "@" + silent.Addr().String() + "/x", "deadline exceeded", ""},
		"wrong password": {strings.Replace(good, config.Password, sesame, 1), "28P01", "set DATABASE_URL to a URL with a user and password that this database takes, or let them in in its pg_hba.conf"},
		"no database":    {strings.Replace(good, config.Database, "nothing", 1), `database "nothing" does not exist`, "set DATABASE_URL to the URL of the platform's database, with its name behind the last slash"},
		"Prisma's words": {good + "&schema=public", `"schema"`, "take out of DATABASE_URL what only the platform's own library understands, such as ?schema=public"},
		"no URL":         {"postgres://u:" + sesame + "@%zz/", "not a Postgres connection URL", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if name == "silent" {
				patience = time.Second / 2
			}
			began := time.Now()
			expect(t, look(t, check.Config{DatabaseURL: c.url, Patience: patience}), found{check.Error, database, c.says, c.mend})
			if name == "silent" && time.Since(began) > time.Minute/2 {
				t.Errorf("waited %v", time.Since(began))
			}
		})
	}
	expect(t, look(t, check.Config{DatabaseURL: good, ReplicaURL: "postgres://u:" + sesame + "@127.0.0.1:1/x"}),
		found{check.Error, "DATABASE_READ_REPLICA_URL", "connection refused", "set DATABASE_READ_REPLICA_URL to postgres://user:password@host:5432/name, of a database that is running and can be reached from here"})
	green(t, look(t, check.Config{DatabaseURL: good, ReplicaURL: good}))
	if _, err := schema.Migrate(t.Context(), connect(t, other)); err != nil {
		t.Fatal(err)
	}
	expect(t, look(t, check.Config{DatabaseURL: good, ReplicaURL: other}),
		found{check.Warning, "DATABASE_READ_REPLICA_URL", "not a copy", "set DATABASE_READ_REPLICA_URL to a replica of DATABASE_URL, or unset it"})
}

// The clocks are compared with the one that everything is measured by.
func TestClocks(t *testing.T) {
	url := pgtest.Database(t)
	at := func(off time.Duration) check.Config {
		return check.Config{DatabaseURL: url, Now: func() time.Time { return time.Now().Add(off) }}
	}
	const mend = "timedatectl set-ntp true -- on the machine whose clock is wrong"
	expect(t, look(t, at(-time.Minute)), found{check.Warning, database, "clock and this machine's differ by 1m0", mend})
	expect(t, look(t, at(time.Hour)), found{check.Error, database, "feeds begin, and tokens end, at the wrong time", mend})
}
