package runstore_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// delete deletes a run, and a copy of it, which nobody might see before.
func (m *machine) delete(t *rapid.T) {
	gone := m.any(t)
	for _, table := range tables() {
		if _, err := m.pool.Exec(m.ctx, "DELETE FROM "+table.SQL()+" WHERE id = $1", gone.ID); err != nil {
			t.Fatal(err)
		}
	}
	m.naive.runs = slices.DeleteFunc(m.naive.runs, func(run *runstore.Run) bool { return run == gone })
}

// pagesAmid reads a list to its end and back to its beginning, while runs are created
// and deleted and new ones change sides. Every run that is there all along is read
// once each way, in order; of the others, none that is not there.
func (m *machine) pagesAmid(t *rapid.T) {
	q := runstore.Query{EnvironmentID: m.env(t), Filter: m.filter(t), Limit: rapid.IntRange(1, 3).Draw(t, "limit"), Order: runstore.OldestFirst}
	if rapid.Bool().Draw(t, "newest first") {
		q.Order = runstore.NewestFirst
	}
	left := 6 // of changes, so that it ends
	list := func() []runstore.Run {
		runs := m.naive.find(q.EnvironmentID, q.Filter)
		if q.Order == runstore.NewestFirst {
			slices.Reverse(runs)
		}
		return runs
	}
	page := func() runstore.Page {
		page, err := m.store.FindPage(m.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		there := idsOf(list())
		for _, id := range idsOf(page.Runs) {
			if !slices.Contains(there, id) {
				t.Fatalf("a page has %s, which is not there", id)
			}
		}
		for ; left > 0 && rapid.Bool().Draw(t, "meanwhile"); left-- {
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				m.table = 1 - m.table
			case 1:
				m.createOne(t)
			default:
				if len(m.naive.runs) > 0 {
					m.delete(t)
				}
			}
		}
		return page
	}
	// allAlong compares what was read with what was there at first and still is.
	allAlong := func(way string, atFirst, read []runstore.Run) {
		still := idsOf(list())
		var want, got []string
		if ids := idsOf(read); len(slices.Compact(sorted(ids))) != len(ids) {
			t.Fatalf("%s: it read a run twice: %v", way, ids)
		}
		for _, id := range idsOf(atFirst) {
			if slices.Contains(still, id) {
				want = append(want, id)
			}
		}
		for _, id := range idsOf(read) {
			if slices.Contains(want, id) {
				got = append(got, id)
			}
		}
		if !slices.Equal(want, got) {
			t.Fatalf("%s: of what was there all along it read\n %v, want\n %v", way, got, want)
		}
	}

	atFirst := list()
	var forth []runstore.Run
	atLast := atFirst // what is there as the last page is read
	last := page()
	for forth = last.Runs; last.Next != ""; forth = append(forth, last.Runs...) {
		q.After, atLast = last.Next, list()
		last = page()
	}
	allAlong("forth", atFirst, forth)
	back := last.Runs
	for q.After, q.Before = "", last.Previous; q.Before != ""; {
		page := page()
		back, q.Before = append(slices.Clone(page.Runs), back...), page.Previous
	}
	allAlong("back", atLast, back)
}
