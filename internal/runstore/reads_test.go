package runstore_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func TestFindByIDs(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		runs := c.many(4, t, func(i int, r *runstore.NewRun) {
			if i == 3 {
				r.EnvironmentID = c.other
			}
		})
		ids := append(idsOf(runs), "gone", c.mint.Mint(runid.V2))
		c.asked.take()
		got, err := c.store.FindByIDs(t.Context(), c.env, ids)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]runstore.Run{runs[0].ID: runs[0], runs[1].ID: runs[1], runs[2].ID: runs[2]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if sql := c.asked.take(); len(sql) != 1 {
			t.Errorf("it asked %q", sql)
		}
		if got, err := c.store.FindByIDs(t.Context(), c.env, nil); err != nil || len(got) != 0 || len(c.asked.take()) != 0 {
			t.Errorf("of no ids there are %d (%v)", len(got), err)
		}
		if got, err := c.store.FindByID(t.Context(), runs[0].Key()); err != nil || !cmp.Equal(got, runs[0]) {
			t.Errorf("by its id: %v, %v", got.ID, err)
		}
	})
}

// What names runs of one table does not ask the other.
func TestNarrowing(t *testing.T) {
	f := newFixture(t)
	legacy, v2 := f.create(t, f.newRun(runid.Legacy)), f.create(t, f.newRun(runid.V2))
	names := func(runs ...runstore.Run) (ids []runid.Friendly) {
		for _, run := range runs {
			ids = append(ids, friendly(t, run.FriendlyID))
		}
		return ids
	}
	for name, c := range map[string]struct {
		filter runstore.Filter
		asks   [2]bool
		finds  []string
	}{
		"legacy ids":                     {runstore.Filter{IDs: []string{legacy.ID, "x"}}, [2]bool{true, false}, []string{legacy.ID}},
		"v2 ids":                         {runstore.Filter{IDs: []string{v2.ID}}, [2]bool{false, true}, []string{v2.ID}},
		"mixed ids":                      {runstore.Filter{IDs: []string{v2.ID, legacy.ID}}, [2]bool{true, true}, []string{legacy.ID, v2.ID}},
		"no ids":                         {runstore.Filter{IDs: []string{}}, [2]bool{}, nil},
		"legacy names":                   {runstore.Filter{FriendlyIDs: names(legacy)}, [2]bool{true, false}, []string{legacy.ID}},
		"v2 names":                       {runstore.Filter{FriendlyIDs: names(v2)}, [2]bool{false, true}, []string{v2.ID}},
		"mixed names":                    {runstore.Filter{FriendlyIDs: names(v2, legacy)}, [2]bool{true, true}, []string{legacy.ID, v2.ID}},
		"ids of one, names of the other": {runstore.Filter{IDs: []string{legacy.ID}, FriendlyIDs: names(v2)}, [2]bool{}, nil},
		"a task":                         {runstore.Filter{TaskIdentifiers: []string{"task"}}, [2]bool{true, true}, []string{legacy.ID, v2.ID}},
	} {
		for what, find := range map[string]func() ([]string, error){
			"find": func() ([]string, error) {
				runs, err := f.store.FindMany(t.Context(), runstore.Query{EnvironmentID: env, Filter: c.filter})
				return idsOf(runs), err
			},
			"page": func() ([]string, error) {
				page, err := f.store.FindPage(t.Context(), runstore.Query{EnvironmentID: env, Filter: c.filter, Order: runstore.NewestFirst, Limit: 5})
				return idsOf(page.Runs), err
			},
			"count": func() ([]string, error) {
				n, err := f.store.Count(t.Context(), env, c.filter)
				return sorted(c.finds)[:n], err
			},
		} {
			f.asked.take()
			got, err := find()
			if err != nil || !slices.Equal(sorted(got), sorted(c.finds)) {
				t.Errorf("%s: %s: %v, %v", name, what, got, err)
			}
			sql := f.asked.take()
			all := strings.Join(sql, " ")
			asks := [2]bool{strings.Contains(all, `"TaskRun" r `), strings.Contains(all, `"task_run_v2" r `)}
			if asks != c.asks || asks == [2]bool{} != (len(sql) == 0) || len(sql) > 1 {
				t.Errorf("%s: %s asked %q", name, what, sql)
			}
		}
	}
}

// Each field of a filter selects some runs and leaves others out.
func TestFilter(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		ptr := func(s string) *string { return &s }
		yes := true
		plain := c.make(t, func(*runstore.NewRun) {})
		special := c.many(2, t, func(_ int, r *runstore.NewRun) { // one for each table of the mixed placement
			r.TaskIdentifier, r.Queue, r.WorkerQueue, r.Region, r.MachinePreset = "special", "special", "special", ptr("special"), ptr("special")
			r.Tags, r.BatchID, r.ScheduleID, r.RootRunID, r.ParentRunID = []string{"a", "b"}, ptr("batch"), ptr("schedule"), ptr("root"), ptr("parent")
			r.IsTest = true
		})
		for i, run := range special {
			if _, err := c.store.LockToWorker(t.Context(), run.Key(), runstore.Lock{TaskVersion: ptr("special")}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.store.RecordBulkAction(t.Context(), run.Key(), "bulk"); err != nil {
				t.Fatal(err)
			}
			key := "key" + string(rune('0'+i))
			if _, err := c.pool.Exec(t.Context(), "UPDATE "+run.Table().SQL()+` SET "idempotencyKey" = $2 WHERE id = $1`, run.ID, key); err != nil {
				t.Fatal(err)
			}
		}
		all := append(idsOf(special), plain.ID)
		filters := map[string]runstore.Filter{
			"IDs": {IDs: idsOf(special)}, "FriendlyIDs": {FriendlyIDs: []runid.Friendly{friendly(t, special[0].FriendlyID), friendly(t, special[1].FriendlyID)}},
			"Statuses": {Statuses: []runstore.Status{runstore.Dequeued, runstore.Executing}}, "TaskIdentifiers": {TaskIdentifiers: []string{"special", "x"}},
			"Versions": {Versions: []string{"special"}}, "Queues": {Queues: []string{"special"}}, "WorkerQueues": {WorkerQueues: []string{"special"}},
			"Regions": {Regions: []string{"special"}}, "MachinePresets": {MachinePresets: []string{"special"}},
			"IdempotencyKeys": {IdempotencyKeys: []string{"key0", "key1", "key2"}},
			"AnyTag":          {AnyTag: []string{"x", "b"}}, "AllTags": {AllTags: []string{"b", "a"}}, "BatchID": {BatchID: ptr("batch")},
			"ScheduleID": {ScheduleID: ptr("schedule")}, "BulkActionID": {BulkActionID: ptr("bulk")}, "RootRunID": {RootRunID: ptr("root")},
			"ParentRunID": {ParentRunID: ptr("parent")}, "IsTest": {IsTest: &yes}, "CreatedFrom": {CreatedFrom: special[0].CreatedAt},
			"CreatedBefore": {CreatedBefore: special[0].CreatedAt},
		}
		for i := range reflect.TypeFor[runstore.Filter]().NumField() {
			name := reflect.TypeFor[runstore.Filter]().Field(i).Name
			filter, ok := filters[name]
			if !ok {
				t.Errorf("%s is not tried", name)
			}
			want := sorted(idsOf(special))
			if name == "CreatedBefore" {
				want = []string{plain.ID}
			}
			c.selects(t, name, filter, want)
		}
		c.selects(t, "nothing set", runstore.Filter{}, sorted(all))
		no := false
		for name, f := range map[string]runstore.Filter{
			"both tags and a third": {AllTags: []string{"a", "b", "c"}}, "no tag of none": {AnyTag: []string{}}, "all tags of none": {AllTags: []string{}},
			"no status": {Statuses: []runstore.Status{}}, "special and not": {TaskIdentifiers: []string{"special"}, IsTest: &no},
			"a tag that is SQL": {AnyTag: []string{`"}') OR true --`}},
		} {
			c.selects(t, name, f, []string{})
		}
	})
}

func (c contract) selects(t *testing.T, name string, f runstore.Filter, want []string) {
	t.Helper()
	runs, err := c.store.FindMany(t.Context(), runstore.Query{EnvironmentID: c.env, Filter: f})
	if got := sorted(idsOf(runs)); err != nil || len(got) != len(want) || !slices.Equal(got, want) {
		t.Errorf("%s selects %v, want %v (%v)", name, got, want, err)
	}
	if n, err := c.store.Count(t.Context(), c.env, f); err != nil || n != int64(len(want)) {
		t.Errorf("%s: there are %d, want %d (%v)", name, n, len(want), err)
	}
	if n, err := c.store.Count(t.Context(), c.other, f); err != nil || n != 0 {
		t.Errorf("%s: elsewhere there are %d (%v)", name, n, err)
	}
}

func TestFindOne(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		runs := c.many(3, t, func(i int, r *runstore.NewRun) { r.IsTest = i < 2 })
		yes := true
		if got, err := c.store.FindOne(t.Context(), c.env, runstore.Filter{IsTest: &yes}); err != nil || got.ID != runs[1].ID {
			t.Errorf("the newest test is %v, %v", got.ID, err)
		}
		if _, err := c.store.FindOne(t.Context(), c.env, runstore.Filter{Queues: []string{"x"}}); !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
	})
}

func TestFindByIdempotencyKeys(t *testing.T) {
	f := newFixture(t)
	var want []string
	for _, table := range [...]runid.Table{runid.V2, runid.Legacy} {
		for _, c := range []struct{ env, task, key string }{{env, "task", "k"}, {env, "task", "l"}, {env, "another", "k"}, {other, "task", "k"}} {
			r := f.newRun(table)
			r.EnvironmentID, r.TaskIdentifier, r.IdempotencyKey = c.env, c.task, &c.key
			f.create(t, r)
			if c.env == env && c.task == "task" && c.key == "k" {
				want = append(want, r.ID)
			}
		}
	}
	f.asked.take()
	got, err := f.store.FindByIdempotencyKeys(t.Context(), env, "task", []string{"k", "x"})
	if err != nil || !slices.Equal(idsOf(got), want) {
		t.Errorf("%v, want %v (%v)", idsOf(got), want, err)
	}
	if sql := f.asked.take(); len(sql) != 1 {
		t.Errorf("it asked %q", sql)
	}
	got, err = f.store.FindByIdempotencyKey(t.Context(), env, "task", "k")
	if err != nil || !slices.Equal(idsOf(got), want) {
		t.Errorf("one key: %v, want %v (%v)", idsOf(got), want, err)
	}
	if sql := f.asked.take(); len(sql) != 1 {
		t.Errorf("for one key it asked %q", sql)
	}
}

// A token is one run's in each table, and in no other environment.
func TestFindByOneTimeUseToken(t *testing.T) {
	f := newFixture(t)
	want := map[string]bool{}
	for _, table := range runid.Tables() {
		r := f.newRun(table)
		r.OneTimeUseToken = ptr("token")
		want[f.create(t, r).ID] = true
		f.create(t, f.newRun(table))
	}
	got, err := f.store.FindByOneTimeUseToken(t.Context(), env, "token")
	if err != nil || len(got) != 2 || !want[got[0].ID] || !want[got[1].ID] {
		t.Errorf("%v, want %v (%v)", idsOf(got), want, err)
	}
	for _, c := range [][2]string{{env, "another"}, {other, "token"}} {
		if got, err := f.store.FindByOneTimeUseToken(t.Context(), c[0], c[1]); err != nil || len(got) != 0 {
			t.Errorf("%v: %v, %v", c, idsOf(got), err)
		}
	}
}

// A replica that is behind: what is named is found on the primary, and a list is
// the replica's.
func TestReplicaReads(t *testing.T) {
	primary, _ := newPool(t, pgtest.Database(t))
	replica, atReplica := newPool(t, pgtest.Database(t))
	store, err := runstore.New(runstore.Config{Primary: primary, Replica: replica})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{store: store, mint: runid.NewMinter(runid.MinterConfig{})}
	for _, table := range runid.Tables() {
		run := f.create(t, f.newRun(table))
		if _, err := store.FindByID(t.Context(), run.Key()); err != nil {
			t.Error(err)
		}
		if got, err := store.FindByIDs(t.Context(), env, []string{run.ID}); err != nil || len(got) != 1 {
			t.Errorf("by ids: %d, %v", len(got), err)
		}
		if _, err := store.FindOne(t.Context(), env, runstore.Filter{IDs: []string{run.ID}}); err != nil {
			t.Error(err)
		}
		q := runstore.Query{EnvironmentID: env, Filter: runstore.Filter{IDs: []string{run.ID}}}
		if runs, err := store.FindMany(t.Context(), q); err != nil || len(runs) != 0 {
			t.Errorf("the replica's list has %d, %v", len(runs), err)
		}
		atReplica.take()
		if runs, err := store.OnPrimary().FindMany(t.Context(), q); err != nil || len(runs) != 1 || len(atReplica.take()) != 0 {
			t.Errorf("the primary's list has %d, %v", len(runs), err)
		}
	}
}
