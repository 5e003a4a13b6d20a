package runstore_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// machine asks the same of a store and of a naive one, and compares what they say and,
// after a write, what there is.
type machine struct {
	fixture // its store is the one that is asked
	ctx     context.Context
	naive   *naive
	db      runstore.DB // where the rows are that the store writes; nil where they cannot be seen
	backup  *backup     // nil for none

	envs   []string
	tokens []string               // for one use; no other check has them
	flags  map[string]runid.Table // where an organization's new runs go
	given  *[]string              // places between pages
}

// TestModel: whatever is written, wherever it goes, the two tables read as one
// store. New runs change sides in the middle, many are created in one
// millisecond, and the database may order texts in its own way.
func TestModel(t *testing.T) {
	eachCollation(t, func(t *testing.T, f fixture) {
		behind := f.twin(t)
		rapid.Check(t, func(t *rapid.T) {
			m := newMachine(f)
			m.backup = newBackup(t, f, behind)
			reads := []func(*rapid.T){m.read, m.read, m.read, m.walk, m.flip, m.level}
			writes := []func(*rapid.T){
				m.create, m.create, m.create, m.write, m.write, m.write, m.copy, m.delete, m.locked, m.inTransaction, m.walkAmid, m.backAndForth,
			}
			t.Repeat(map[string]func(*rapid.T){
				"read": func(t *rapid.T) { oneOf(t, "step", reads...)(t) },
				"write": func(t *rapid.T) {
					oneOf(t, "step", writes...)(t)
					m.sameRows(t)
				},
			})
		})
	})
}

// newMachine is a machine in environments of its own: two of an organization, and one
// of another.
func newMachine(f fixture) *machine {
	unique := f.mint.Mint(runid.V2)
	return &machine{
		fixture: f, ctx: context.Background(), db: f.pool,
		naive: &naive{now: f.clock.now, primary: &rows{}, places: map[string]standing{}},
		envs:  []string{"a" + unique, "b" + unique, "c" + unique}, tokens: []string{"d" + unique, "e" + unique},
		flags: map[string]runid.Table{}, given: &[]string{},
	}
}

func (m *machine) organization(env string) string {
	if env == m.envs[2] {
		return "organization 2"
	}
	return "organization 1"
}

// tableOf is where an environment's new runs go.
func (m *machine) tableOf(env string) runid.Table { return m.flags[m.organization(env)] }

func (m *machine) flip(t *rapid.T) {
	of := oneOf(t, "organization", "organization 1", "organization 2")
	m.flags[of] = 1 - m.flags[of]
}

func (m *machine) create(t *rapid.T) {
	for range between(t, "runs", 1, 4) {
		m.ask(t, oneOf(t, "how", "Create", "Create", "Create", "CreateCancelled", "CreateFailed"))
	}
}

// write and read ask a store with a replica, or one without. Much is written twice: what
// a write has to leave as it is was often written by one of the same kind.
func (m *machine) write(t *rapid.T) {
	for range between(t, "writes", 1, 3) {
		method := oneOf(t, "write", writeMethods()...)
		for range between(t, "times", 1, 2) {
			m.either(t).ask(t, method)
		}
	}
}

func (m *machine) read(t *rapid.T) {
	for range between(t, "reads", 1, 8) {
		m.either(t).ask(t, oneOf(t, "read", readMethods()...))
	}
}

// flip, copy and delete are what others do to the tables. A copy of a v2 run is in the
// other table, where nobody may see it.
func (m *machine) copy(t *rapid.T) {
	run, ok := m.someRun(t)
	if !ok || run.Table() != runid.V2 {
		t.Skip("there is no such run")
	}
	stale := run
	stale.Status, stale.Tags, stale.Queue, stale.CreatedAt, stale.TaskIdentifier = runstore.Paused, []string{"x", "y"}, "x", at(between(t, "at", 0, 2)), "task"
	if m.naive.primary.clash(runid.Legacy, stale) != nil {
		t.Skip("it is there, or something of it is taken")
	}
	m.naive.primary.stale = append(m.naive.primary.stale, stale)
	if _, err := m.db.Exec(m.ctx, staleCopy, run.ID, stale.CreatedAt); err != nil {
		t.Fatal(err)
	}
}

// delete deletes a run, and a copy of it, which nobody might see before.
func (m *machine) delete(t *rapid.T) {
	gone, ok := m.someRun(t)
	if !ok {
		t.Skip("there are no runs yet")
	}
	for _, table := range tables() {
		if _, err := m.db.Exec(m.ctx, "DELETE FROM "+table.SQL()+" WHERE id = $1", gone.ID); err != nil {
			t.Fatal(err)
		}
	}
	is := func(run runstore.Run) bool { return run.ID == gone.ID }
	m.naive.primary.runs, m.naive.primary.stale = slices.DeleteFunc(m.naive.primary.runs, is), slices.DeleteFunc(m.naive.primary.stale, is)
}
