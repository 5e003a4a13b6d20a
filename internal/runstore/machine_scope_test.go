package runstore_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// backup is a database that is read instead of the primary, and is as old as the last
// time that they were made level.
type backup struct {
	store *runstore.Store // of both databases
	at    fixture
	rows  *rows
}

// twin is a fixture on another database that orders texts as this one does.
func (f fixture) twin(t *testing.T) fixture {
	t.Helper()
	var locale string
	if err := f.pool.QueryRow(t.Context(), `SELECT datcollate FROM pg_database WHERE datname = current_database()`).Scan(&locale); err != nil {
		t.Fatal(err)
	}
	return newFixtureAt(t, "LOCALE '"+locale+"' ENCODING 'UTF8' TEMPLATE template0")
}

func newBackup(t *rapid.T, of, at fixture) *backup {
	store, err := runstore.New(runstore.Config{Primary: of.pool, Replica: at.pool, Now: of.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	return &backup{store, at, &rows{}}
}

// level makes the replica what the primary is.
func (m *machine) level(t *rapid.T) {
	for _, table := range []string{`"TaskRun"`, "task_run_v2", `"BatchTaskRun"`} {
		var all []byte
		err := m.pool.QueryRow(m.ctx, `SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM `+table+` r WHERE "runtimeEnvironmentId" = ANY($1)`, m.envs).Scan(&all)
		if err == nil {
			_, err = m.backup.at.pool.Exec(m.ctx, `DELETE FROM `+table+` WHERE "runtimeEnvironmentId" = ANY($1)`, m.envs)
		}
		if err == nil {
			_, err = m.backup.at.pool.Exec(m.ctx, `INSERT INTO `+table+` SELECT * FROM jsonb_populate_recordset(NULL::`+table+`, $1::jsonb)`, all)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m.backup.rows = m.naive.primary.copied()
}

// either is the machine with one of three stores: that of the primary, one that has a
// replica, and that one's own on the primary. In a transaction there is one.
func (m *machine) either(t *rapid.T) *machine {
	if m.backup == nil {
		return m
	}
	it := *m
	it.backup = nil // it is chosen once
	switch oneOf(t, "store", "the primary's", "with a replica", "on its primary") {
	case "with a replica":
		it.store = m.backup.store
		it.naive = &naive{now: m.naive.now, primary: m.naive.primary, replica: m.backup.rows, places: m.naive.places}
	case "on its primary":
		it.store, it.naive = m.backup.store.OnPrimary(), m.naive.onPrimary()
	}
	return &it
}

var errMine = errors.New("mine")

// inTransaction does a few things in a transaction, that see each other, and then it
// was all done or nothing of it.
func (m *machine) inTransaction(t *rapid.T) {
	m = m.either(t)
	tx, err := m.pool.Begin(m.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(m.ctx) }() // after a commit it does nothing
	in := *m
	in.store, in.db, in.naive, in.backup = m.store.In(tx), tx, m.naive.in(), nil
	err = in.few(t)
	if err == nil && rapid.Bool().Draw(t, "in the end a lock") {
		in.locked(t) // whose own end is a savepoint's
	}
	if err == nil {
		in.sameRows(t)
	}
	if err == nil && rapid.Bool().Draw(t, "commit") {
		if err := tx.Commit(m.ctx); err != nil {
			t.Fatal(err)
		}
		*m.naive.primary = *in.naive.primary
	} else if err := tx.Rollback(m.ctx); err != nil {
		t.Fatal(err)
	}
}

// few are a few reads and writes, until one fails with which the database would not go
// on.
func (m *machine) few(t *rapid.T) error {
	for range between(t, "things", 0, 4) {
		name := oneOf(t, "thing", askedMethods()...)
		if rapid.Bool().Draw(t, "a write") {
			name = oneOf(t, "thing that is written", writeMethods()...)
		}
		if err := m.ask(t, name); err != nil && !errors.Is(err, runstore.ErrNotFound) {
			return err
		}
	}
	return nil
}

// locked does a few things with a run that it holds, and keeps them or not.
func (m *machine) locked(t *rapid.T) {
	m = m.either(t)
	key := m.key(t)
	want, miss := m.naive.onPrimary().FindByID(m.ctx, key)
	in := *m
	in.naive, in.db, in.backup = m.naive.in(), nil, nil // its transaction is the store's own
	called, said := false, runstore.ErrNotFound
	err := m.store.WithLocked(m.ctx, key, func(store *runstore.Store, run runstore.Run) error {
		called = true
		m.compare(t, "the locked run", []runstore.Run{want}, []runstore.Run{run})
		in.store = store
		if said = in.few(t); said == nil && rapid.Bool().Draw(t, "give up") {
			said = errMine
		}
		return said
	})
	if called != (miss == nil) || !errors.Is(err, said) {
		t.Fatalf("with %v locked: it was called: %v, and gave %v, want %v", key, called, err, said)
	}
	if err == nil {
		*m.naive.primary = *in.naive.primary
	}
}
