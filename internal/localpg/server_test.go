package localpg

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func query(t *testing.T, url, sql string, args ...any) (v string) {
	t.Helper()
	conn, err := pgx.Connect(soon(t), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(soon(t), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func run(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(soon(t), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(soon(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestStartIsSetUpForReplication(t *testing.T) {
	s := mustStart(t, Config{Dir: stateDir(t), Settings: map[string]string{"work_mem": "1MB"}})
	if s.Version() < MinVersion {
		t.Errorf("version %d", s.Version())
	}
	got := map[string]string{}
	for _, name := range []string{"wal_level", "max_replication_slots", "max_slot_wal_keep_size", "fsync", "listen_addresses", "unix_socket_directories", "password_encryption", "work_mem"} {
		got[name] = query(t, s.URL("postgres"), "SELECT current_setting($1)", name)
	}
	want := map[string]string{
		"wal_level": "logical", "max_replication_slots": "64", "max_slot_wal_keep_size": "1GB", "fsync": "on",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "password_encryption": "scram-sha-256", "work_mem": "1MB",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	lsn := query(t, s.URL("postgres"), "SELECT lsn::text FROM pg_create_logical_replication_slot('s', 'pgoutput')")
	if !strings.Contains(lsn, "/") {
		t.Errorf("a slot at %q", lsn)
	}
}

func TestOnlyThePasswordOpensIt(t *testing.T) {
	dir := stateDir(t)
	s := mustStart(t, Config{Dir: dir, Disposable: true})
	right, err := url.Parse(s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []*url.Userinfo{url.User("postgres"), url.UserPassword("postgres", "postgres")} {
		u := *right
		u.User = who
		_, err := pgx.Connect(soon(t), u.String())
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || !strings.HasPrefix(refused.Code, "28") {
			t.Errorf("without the password: %v", err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password's file: %v, %v", info.Mode(), err)
	}
	password, _ := right.User.Password()
	if len(password) < 20 || strings.Contains(s.Log(), password) {
		t.Errorf("a password of %d characters; in the log: %v", len(password), strings.Contains(s.Log(), password))
	}
}

func TestRestartKeepsData(t *testing.T) {
	dir := stateDir(t)
	s := mustStart(t, Config{Dir: dir})
	run(t, s.URL("postgres"), "CREATE TABLE kept AS SELECT 'still here' AS v")
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("it was stopped and is not done")
	}
	if err := s.Stop(soon(t)); err != nil {
		t.Errorf("a second stop: %v", err)
	}
	// A process that is alive and no server has the old server's id.
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := mustStart(t, Config{Dir: dir})
	if got := query(t, again.URL("postgres"), "SELECT v FROM kept"); got != "still here" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := stateDir(t)
	mustStart(t, Config{Dir: dir, Disposable: true})
	for name, err := range map[string]error{
		"start":  func() error { _, err := Start(soon(t), Config{Dir: dir}); return err }(),
		"remove": Remove(soon(t), dir),
	} {
		var inUse *InUseError
		if !errors.As(err, &inUse) || inUse.PID != os.Getpid() || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPort(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	dir := stateDir(t)
	if _, err := Start(soon(t), Config{Dir: dir, Port: port, Disposable: true}); err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("on a port that is taken: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := mustStart(t, Config{Dir: dir, Port: port, Disposable: true}) // the failed start left no lock
	if s.Port() != port || query(t, s.URL("postgres"), "SELECT inet_server_port()::text") != strconv.Itoa(port) {
		t.Errorf("it listens on %d, want %d", s.Port(), port)
	}
}

func TestCreateDatabase(t *testing.T) {
	s := mustStart(t, Config{Dir: stateDir(t), Disposable: true})
	for range 2 {
		if err := s.CreateDatabase(soon(t), `odd "name"`); err != nil {
			t.Fatal(err)
		}
	}
	if got := query(t, s.URL(`odd "name"`), "SELECT current_database()"); got != `odd "name"` {
		t.Errorf("connected to %q", got)
	}
}

func TestGivenUpStartLeavesNothing(t *testing.T) {
	dir := stateDir(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, Config{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Fatalf("with a context that has ended: %v", err)
	}
	mustStart(t, Config{Dir: dir, Disposable: true})
}

func TestBadConfig(t *testing.T) {
	for _, c := range []Config{{}, {Dir: "x", Port: -1}, {Dir: "x", Port: 65536}} {
		if _, err := Start(soon(t), c); err == nil {
			t.Errorf("%+v was started", c)
		}
	}
	if _, err := Start(soon(t), Config{Dir: stateDir(t), BinDir: "/"}); err == nil || !strings.Contains(err.Error(), "no initdb") {
		t.Errorf("without binaries: %v", err)
	}
}
