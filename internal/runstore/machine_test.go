package runstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// machine does the same to a store and to a naive one, and compares what they
// say.
type machine struct {
	fixture
	ctx   context.Context
	naive naive
	envs  []string
	table runid.Table // where new runs go, as an organization's flag says
}

// TestModel: whatever is written, wherever it goes, the two tables read as one
// store. New runs change sides in the middle, many are created in one
// millisecond, and the database may order texts in its own way.
func TestModel(t *testing.T) {
	eachCollation(t, func(t *testing.T, f fixture) {
		rapid.Check(t, func(t *rapid.T) {
			unique := f.mint.Mint(runid.V2) // environments of this check alone
			m := &machine{fixture: f, ctx: context.Background(), envs: []string{"a" + unique, "b" + unique}}
			t.Repeat(map[string]func(*rapid.T){
				"create": m.create, "flip": func(*rapid.T) { m.table = 1 - m.table }, "change": m.change, "copy": m.copy,
				"expire many": m.expireMany, "clear key": m.clearKey, "find": m.find, "page": m.page, "pages amid changes": m.pagesAmid, "delete": m.delete, "ids": m.ids, "keys": m.keys, "family": m.family,
			})
		})
	})
}

func (m *machine) env(t *rapid.T) string { return rapid.SampledFrom(m.envs).Draw(t, "env") }

// any is a run there is, or one of a table's format that there is not.
func (m *machine) any(t *rapid.T) *runstore.Run {
	if len(m.naive.runs) == 0 {
		t.Skip("there are no runs yet")
	}
	return rapid.SampledFrom(m.naive.runs).Draw(t, "run")
}

// pointer is a run's id of whichever environment, or nothing's.
func (m *machine) pointer(t *rapid.T) *string {
	ids := []string{"gone"}
	for _, run := range m.naive.runs {
		ids = append(ids, run.ID)
	}
	return rapid.Ptr(rapid.SampledFrom(ids), true).Draw(t, "pointer")
}

// id is a new id, for which it matters how texts are ordered: its first letters
// are large and small.
func (m *machine) id(t *rapid.T) string {
	letter := rapid.SampledFrom([]string{"a", "A", "b", "B", "z", "Z"}).Draw(t, "letter")
	id := m.mint.Mint(m.table)
	if m.table == runid.V2 {
		return id[:1] + letter + id[2:]
	}
	return letter + id[1:]
}

func (m *machine) create(t *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(t, "runs") {
		m.createOne(t)
	}
}

func (m *machine) createOne(t *rapid.T) {
	r := m.newRun(m.table)
	r.ID, r.EnvironmentID, r.TaskIdentifier = m.id(t), m.env(t), rapid.SampledFrom([]string{"s", "t"}).Draw(t, "task")
	r.CreatedAt = at(rapid.IntRange(0, 2).Draw(t, "at")) // so that many are created at once
	r.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, "tags")
	r.IdempotencyKey = rapid.Ptr(rapid.SampledFrom([]string{"k", "l"}), true).Draw(t, "key")
	r.BatchID, r.ParentRunID, r.RootRunID = rapid.Ptr(rapid.Just("batch"), true).Draw(t, "batch"), m.pointer(t), m.pointer(t)
	made := m.naive.create(r, m.clock.tick())
	got, err := m.store.Create(m.ctx, r)
	var unique *runstore.UniqueError
	if made != (err == nil) || !made && (!errors.As(err, &unique) || unique.Unique != runstore.UniqueIdempotencyKey) {
		t.Fatalf("made is %v: %v", made, err)
	}
	if made {
		m.same(t, "created", []runstore.Run{*m.naive.runs[len(m.naive.runs)-1]}, []runstore.Run{got})
	}
}

func (m *machine) same(t *rapid.T, what string, want, got []runstore.Run) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Transformer("empty", func(r []runstore.Run) []runstore.Run {
		if len(r) == 0 {
			return nil
		}
		return r
	})); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// copy leaves a stale copy of a v2 run in the other table, which nobody may see.
func (m *machine) copy(t *rapid.T) {
	run := m.any(t)
	if run.Table() != runid.V2 || run.IdempotencyKey != nil {
		t.Skip("it is not there, or its key is taken")
	}
	if _, err := m.pool.Exec(m.ctx, `INSERT INTO "TaskRun" SELECT * FROM task_run_v2 WHERE id = $1 ON CONFLICT DO NOTHING`, run.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := m.pool.Exec(m.ctx, `UPDATE "TaskRun" SET status = 'PAUSED', "createdAt" = $2 WHERE id = $1`, run.ID, at(rapid.IntRange(0, 2).Draw(t, "at"))); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) filter(t *rapid.T) runstore.Filter {
	var f runstore.Filter
	some := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, "by "+name) == 0 }
	if some("status") {
		f.Statuses = rapid.SliceOfN(rapid.SampledFrom([]runstore.Status{runstore.Pending, runstore.Canceled, runstore.Executing, runstore.Paused}), 0, 3).Draw(t, "statuses")
	}
	if some("task") {
		f.TaskIdentifiers = []string{rapid.SampledFrom([]string{"s", "t"}).Draw(t, "task")}
	}
	if some("tag") {
		f.AnyTag = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "tags")
	}
	if some("batch") {
		f.BatchID = ptr("batch")
	}
	if some("parent") {
		f.ParentRunID, f.RootRunID = m.pointer(t), m.pointer(t)
	}
	if some("time") {
		f.CreatedFrom, f.CreatedBefore = at(rapid.IntRange(0, 2).Draw(t, "from")), at(rapid.IntRange(1, 3).Draw(t, "before"))
	}
	if some("ids") {
		f.IDs = m.someIDs(t)
	}
	return f
}

func (m *machine) someIDs(t *rapid.T) []string {
	ids := []string{"gone"}
	for _, run := range m.naive.runs {
		if rapid.Bool().Draw(t, "take") {
			ids = append(ids, run.ID)
		}
	}
	return ids
}

func (m *machine) find(t *rapid.T) {
	env, f := m.env(t), m.filter(t)
	want := m.naive.find(env, f)
	got, err := m.store.FindMany(m.ctx, runstore.Query{EnvironmentID: env, Filter: f, Order: runstore.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}
	m.same(t, "found", want, got)
	if n, err := m.store.Count(m.ctx, env, f); err != nil || n != int64(len(want)) {
		t.Fatalf("counted %d, want %d (%v)", n, len(want), err)
	}
	one, err := m.store.FindOne(m.ctx, env, f)
	if len(want) == 0 {
		if !errors.Is(err, runstore.ErrNotFound) {
			t.Fatalf("one of none: %v", err)
		}
	} else if err != nil || one.ID != want[len(want)-1].ID {
		t.Fatalf("the newest is %s, want %s (%v)", one.ID, want[len(want)-1].ID, err)
	}
}

func (m *machine) page(t *rapid.T) {
	q := runstore.Query{EnvironmentID: m.env(t), Filter: m.filter(t), Limit: rapid.IntRange(1, 4).Draw(t, "limit"), Order: runstore.OldestFirst}
	want := m.naive.find(q.EnvironmentID, q.Filter)
	if rapid.Bool().Draw(t, "newest first") {
		q.Order = runstore.NewestFirst
		slices.Reverse(want)
	}
	var forth, back []runstore.Run
	var last runstore.Page
	for next := true; next; next = last.Next != "" {
		page, err := m.store.FindPage(m.ctx, q)
		if err != nil || len(page.Runs) > q.Limit {
			t.Fatal(len(page.Runs), err)
		}
		forth, last, q.After = append(forth, page.Runs...), page, page.Next
	}
	m.same(t, "forth", want, forth)
	back = last.Runs
	for q.After, q.Before = "", last.Previous; q.Before != ""; {
		page, err := m.store.FindPage(m.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		back, q.Before = append(slices.Clone(page.Runs), back...), page.Previous
	}
	m.same(t, "back", want, back)
}

func (m *machine) ids(t *rapid.T) {
	env, ids := m.env(t), m.someIDs(t)
	want := map[string]runstore.Run{}
	for _, run := range m.naive.find(env, runstore.Filter{IDs: ids}) {
		want[run.ID] = run
	}
	got, err := m.store.FindByIDs(m.ctx, env, ids)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
}

func (m *machine) keys(t *rapid.T) {
	env, keys := m.env(t), []string{"k", "x"}
	want := m.naive.find(env, runstore.Filter{TaskIdentifiers: []string{"t"}, IdempotencyKeys: keys})
	slices.SortFunc(want, func(a, b runstore.Run) int { return int(b.Table()) - int(a.Table()) })
	got, err := m.store.FindByIdempotencyKeys(m.ctx, env, "t", keys)
	if err != nil {
		t.Fatal(err)
	}
	m.same(t, "by keys", want, got)
}

func (m *machine) family(t *rapid.T) {
	of := *m.any(t)
	got, err := m.store.FindFamily(m.ctx, of)
	if err != nil {
		t.Fatal(err)
	}
	slim := func(runs []runstore.Run) []runstore.Run {
		for i := range runs {
			runs[i].Payload = ""
		}
		return runs
	}
	m.same(t, "children", slim(m.naive.find(of.EnvironmentID, runstore.Filter{ParentRunID: &of.ID})), got.Children)
	for what, p := range map[string]struct {
		id  *string
		got *runstore.Run
	}{"parent": {of.ParentRunID, got.Parent}, "root": {of.RootRunID, got.Root}} {
		var want, is []runstore.Run
		if p.id != nil {
			want = slim(m.naive.find(of.EnvironmentID, runstore.Filter{IDs: []string{*p.id}}))
		}
		if p.got != nil {
			is = []runstore.Run{*p.got}
		}
		m.same(t, what, want, is)
	}
}
