package runstore_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func TestFamily(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		nothing := func(*runstore.NewRun) {}
		root, parent := c.make(t, nothing), c.make(t, nothing)
		under := func(p runstore.Run) func(*runstore.NewRun) {
			return func(r *runstore.NewRun) { r.RootRunID, r.ParentRunID = &root.ID, &p.ID }
		}
		run := c.make(t, under(parent))
		children := c.many(3, t, func(_ int, r *runstore.NewRun) { under(run)(r) })
		c.make(t, func(r *runstore.NewRun) { under(run)(r); r.EnvironmentID = c.other }) // names a run abroad
		c.make(t, under(children[0]))
		find := func(of runstore.Run) (root, parent string, children []string) {
			t.Helper()
			c.asked.take()
			f, err := c.store.FindFamily(t.Context(), of)
			if err != nil {
				t.Fatal(err)
			}
			if sql := c.asked.take(); len(sql) != 1 {
				t.Errorf("it asked %q", sql)
			}
			found, err := c.store.FindChildren(t.Context(), of.EnvironmentID, []string{of.ID, "gone"})
			if err != nil {
				t.Fatal(err)
			}
			if sql := c.asked.take(); len(sql) != 1 {
				t.Errorf("it asked %q", sql)
			}
			var also []string
			for _, child := range found {
				also = append(also, child.ID)
				if child.ParentRunID != of.ID || child.Status != runstore.Pending {
					t.Errorf("a child of %s: %+v", of.ID, child)
				}
			}
			if want := idsOf(f.Children); !slices.Equal(slices.Sorted(slices.Values(also)), slices.Sorted(slices.Values(want))) {
				t.Errorf("its children are %v, and %v by themselves", want, also)
			}
			if f.Root != nil {
				root = f.Root.ID
			}
			if f.Parent != nil {
				parent = f.Parent.ID
			}
			return root, parent, idsOf(f.Children)
		}
		if r, p, ch := find(run); r != root.ID || p != parent.ID || !slices.Equal(ch, idsOf(children)) {
			t.Errorf("its family is %s, %s, %v", r, p, ch)
		}
		if r, p, ch := find(root); r != "" || p != "" || len(ch) != 0 {
			t.Errorf("the root's family is %s, %s, %v", r, p, ch)
		}
		foreign := c.make(t, func(r *runstore.NewRun) { r.EnvironmentID = c.other })
		stray := c.make(t, func(r *runstore.NewRun) { r.RootRunID, r.ParentRunID = ptr("gone"), &foreign.ID })
		if r, p, ch := find(stray); r != "" || p != "" || len(ch) != 0 {
			t.Errorf("the family of one whose pointers are bad is %s, %s, %v", r, p, ch)
		}
		if _, _, ch := find(foreign); len(ch) != 0 {
			t.Errorf("abroad it has the children %v", ch)
		}
		self := c.make(t, func(r *runstore.NewRun) { r.RootRunID, r.ParentRunID = &r.ID, &r.ID })
		if r, p, ch := find(self); r != self.ID || p != self.ID || !slices.Equal(ch, []string{self.ID}) {
			t.Errorf("the family of its own parent is %s, %s, %v", r, p, ch)
		}
	})
}

func TestBatchRuns(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		earlier := c.make(t, func(*runstore.NewRun) {}) // came into the batch by its idempotency key
		ids := []string{c.mint.Mint(c.place()), c.mint.Mint(c.place()), c.mint.Mint(c.place())}
		foreign := c.make(t, func(r *runstore.NewRun) { r.EnvironmentID = c.other })
		batch, err := c.store.CreateBatch(t.Context(), runstore.NewBatch{
			ID: c.mint.Mint(runid.Legacy), EnvironmentID: c.env, RunCount: 3,
			RunIDs: []string{"run_" + ids[1], earlier.FriendlyID, "run_gone", "no run's id", foreign.FriendlyID, "run_" + ids[0]},
		})
		if err != nil {
			t.Fatal(err)
		}
		made := map[string]runstore.Run{}
		for _, id := range ids {
			made[id] = c.make(t, func(r *runstore.NewRun) { r.ID, r.BatchID = id, &batch.ID })
		}
		c.make(t, func(r *runstore.NewRun) { r.EnvironmentID, r.BatchID = c.other, &batch.ID })
		c.make(t, func(r *runstore.NewRun) { r.BatchID = ptr("another") })
		c.asked.take()
		got, err := c.store.FindBatchRuns(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if sql := c.asked.take(); len(sql) != 1 {
			t.Errorf("it asked %q", sql)
		}
		if diff := cmp.Diff([]runstore.Run{made[ids[1]], earlier, made[ids[0]], made[ids[2]]}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A run that is in both tables is v2's, for every read that looks into both,
// and what the other table says of it counts for nothing.
func TestInBothTables(t *testing.T) {
	f := newFixture(t)
	for _, table := range runid.Tables() {
		c := contract{f, "ours " + table.String(), "theirs " + table.String(), func() runid.Table { return table }}
		batch, err := c.store.CreateBatch(t.Context(), runstore.NewBatch{ID: f.mint.Mint(runid.Legacy), EnvironmentID: c.env})
		if err != nil {
			t.Fatal(err)
		}
		parent := c.make(t, func(*runstore.NewRun) {})
		run := c.make(t, func(r *runstore.NewRun) {
			r.IdempotencyKey, r.ParentRunID, r.BatchID, r.TaskIdentifier = ptr("k"), &parent.ID, &batch.ID, "in "+table.String()
		})
		c.both(t, run, "in "+(1-table).String())
		for name, find := range map[string]func() ([]runstore.Run, error){
			"many": func() ([]runstore.Run, error) {
				return c.store.FindMany(t.Context(), runstore.Query{EnvironmentID: c.env, Filter: runstore.Filter{BatchID: &batch.ID}})
			},
			"page": func() ([]runstore.Run, error) {
				page, err := c.store.FindPage(t.Context(), runstore.Query{EnvironmentID: c.env, Limit: 1, Order: runstore.NewestFirst})
				return page.Runs, err
			},
			"keys": func() ([]runstore.Run, error) {
				return c.store.FindByIdempotencyKeys(t.Context(), c.env, "in v2", []string{"k"})
			},
			"family": func() ([]runstore.Run, error) {
				family, err := c.store.FindFamily(t.Context(), parent)
				return family.Children, err
			},
			"parent": func() ([]runstore.Run, error) {
				family, err := c.store.FindFamily(t.Context(), runstore.Run{EnvironmentID: c.env, ID: "child", ParentRunID: &run.ID})
				if family.Parent == nil {
					return nil, err
				}
				return []runstore.Run{*family.Parent}, err
			},
			"named": func() ([]runstore.Run, error) {
				return c.store.FindBatchRuns(t.Context(), runstore.Batch{EnvironmentID: c.env, ID: "another", RunIDs: []string{run.FriendlyID}})
			},
			"batch": func() ([]runstore.Run, error) { return c.store.FindBatchRuns(t.Context(), batch) },
		} {
			if got, err := find(); err != nil || len(got) != 1 || got[0].TaskIdentifier != "in v2" {
				t.Errorf("%s: a run of %v: %d runs, %v", name, table, len(got), err)
			}
		}
		c.selects(t, "v2's task", runstore.Filter{TaskIdentifiers: []string{"in v2"}}, []string{run.ID})
		c.selects(t, "legacy's task", runstore.Filter{TaskIdentifiers: []string{"in legacy"}}, []string{})
	}
}
