package localpg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A state directory under one that only the program's user may enter, as /root
// is: the cluster is where the server's user can reach it.
func TestStateOutOfReach(t *testing.T) {
	dir := stateDir(t)
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(soon(t), dir); err != nil {
			t.Error(err)
		}
	})
	s := mustStart(t, Config{Dir: dir, Disposable: true})
	run(t, s.URL("postgres"), "CREATE TABLE kept AS SELECT 'still here' AS v")
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	c, err := locate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.owner.switched == (c.data == c.link()) {
		t.Errorf("a server whose user is another (%v) has its cluster in %s", c.owner.switched, c.data)
	}
	s = mustStart(t, Config{Dir: dir, Disposable: true})
	if got := query(t, s.URL("postgres"), "SELECT v FROM kept"); got != "still here" {
		t.Errorf("after a restart: %q", got)
	}
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}

	// Deleted without a word to this package, and made again.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s = mustStart(t, Config{Dir: dir, Disposable: true})
	if got := query(t, s.URL("postgres"), "SELECT (to_regclass('kept') IS NULL)::text"); got != "true" {
		t.Error("the old cluster came back")
	}
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := Remove(soon(t), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove left the cluster in %s: %v", c.data, err)
	}
}

func TestRemoveStartsOver(t *testing.T) {
	dir := stateDir(t)
	if err := Remove(soon(t), dir); err != nil {
		t.Errorf("where there is nothing: %v", err)
	}
	s := mustStart(t, Config{Dir: dir, Disposable: true})
	before := s.URL("postgres")
	run(t, before, "CREATE TABLE kept ()")
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := Remove(soon(t), dir); err != nil {
		t.Fatal(err)
	}
	s = mustStart(t, Config{Dir: dir, Disposable: true})
	if got := query(t, s.URL("postgres"), "SELECT (to_regclass('kept') IS NULL)::text"); got != "true" {
		t.Error("the old cluster came back")
	}
}

// What is not this package's is not deleted, and not started on.
func TestBadStateDirectory(t *testing.T) {
	dir := stateDir(t)
	mine := filepath.Join(dir, "data", "thesis.txt")
	if err := os.MkdirAll(filepath.Dir(mine), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(soon(t), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not a Postgres cluster") {
		t.Errorf("on a folder of someone's: %v", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}

	dir = stateDir(t)
	s := mustStart(t, Config{Dir: dir, Disposable: true})
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "password")); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(soon(t), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("without its password: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(soon(t), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "log in") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with another password: %v", err)
	}
}
