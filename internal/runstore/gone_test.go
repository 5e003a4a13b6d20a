package runstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// delete deletes runs, which the store has no way to do.
func (c contract) delete(t *testing.T, runs ...runstore.Run) {
	t.Helper()
	for _, run := range runs {
		if _, err := c.pool.Exec(t.Context(), "DELETE FROM "+run.Table().SQL()+" WHERE id = $1", run.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A place is good as long as there are runs to page, also when its own run is gone:
// a year later the list goes on where it was.
func TestPlacesStayGood(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		runs := c.many(6, t, func(_ int, r *runstore.NewRun) { r.CreatedAt = at(0) })
		slices.SortFunc(runs, byID)
		q := runstore.Query{EnvironmentID: c.env, Order: runstore.OldestFirst, Limit: 3}
		first, err := c.store.FindPage(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		c.delete(t, runs[2]) // which the place was made from
		c.clock.mu.Lock()
		c.clock.at = c.clock.at.Add(365 * 24 * time.Hour)
		c.clock.mu.Unlock()
		q.After = first.Next
		page, err := c.store.FindPage(t.Context(), q)
		if err != nil || !slices.Equal(idsOf(page.Runs), idsOf(runs[3:])) {
			t.Errorf("the second page is %v, %v, want %v", idsOf(page.Runs), err, idsOf(runs[3:]))
		}
		q.After, q.Before = "", page.Previous
		if page, err = c.store.FindPage(t.Context(), q); err != nil || !slices.Equal(idsOf(page.Runs), idsOf(runs[:2])) {
			t.Errorf("back there are %v, %v, want %v", idsOf(page.Runs), err, idsOf(runs[:2]))
		}
	})
}

// Who pages into what is no longer there gets an empty page, and from it the way back
// to all that is left, the run that the place was made from included.
func TestEmptyPageLeadsBack(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		for _, order := range []runstore.Order{runstore.OldestFirst, runstore.NewestFirst} {
			c.env += "x"
			runs := c.many(6, t, func(_ int, r *runstore.NewRun) { r.CreatedAt = at(0) })
			slices.SortFunc(runs, byID)
			if order == runstore.NewestFirst {
				slices.Reverse(runs)
			}
			q := runstore.Query{EnvironmentID: c.env, Order: order, Limit: 2}
			ask := func(after, before string, want []runstore.Run) runstore.Page {
				t.Helper()
				q.After, q.Before = after, before
				page, err := c.store.FindPage(t.Context(), q)
				if err != nil || !slices.Equal(idsOf(page.Runs), idsOf(want)) {
					t.Fatalf("order %d: the page has %v, %v, want %v", order, idsOf(page.Runs), err, idsOf(want))
				}
				return page
			}
			middle := ask(ask("", "", runs[:2]).Next, "", runs[2:4])
			c.delete(t, runs[4:]...)
			end := ask(middle.Next, "", nil)
			if end.Next != "" || end.Previous == "" {
				t.Errorf("order %d: the empty page at the end is %+v", order, end)
			}
			ask("", end.Previous, runs[2:4])
			c.delete(t, runs[:2]...)
			beginning := ask("", middle.Previous, nil)
			if beginning.Previous != "" || beginning.Next == "" {
				t.Errorf("order %d: the empty page at the beginning is %+v", order, beginning)
			}
			ask(beginning.Next, "", runs[2:4])
		}
	})
}

func byID(a, b runstore.Run) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) }
