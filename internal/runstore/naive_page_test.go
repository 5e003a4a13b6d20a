package runstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// standing is a place between runs of one list: beside where a run stood that may be
// gone.
type standing struct {
	env     string
	order   runstore.Order
	created time.Time
	id      string
	with    bool // the run, if it is there, is on the side that is asked for
}

// wrong says that a filter asks for what there is not.
func wrong(f runstore.Filter) bool {
	for _, status := range f.Statuses {
		if !slices.Contains(statuses, status) {
			return true
		}
	}
	return noRuns(f.FriendlyIDs)
}

// asks says how many tables can have what a filter selects. An id says in which it is.
func asks(f runstore.Filter) (tables int) {
	for _, table := range runid.Tables() {
		id := func(id string) bool { return runid.Home(id) == table }
		name := func(name runid.Friendly) bool { return name.Home() == table }
		if (f.IDs == nil || slices.ContainsFunc(f.IDs, id)) && (f.FriendlyIDs == nil || slices.ContainsFunc(f.FriendlyIDs, name)) {
			tables++
		}
	}
	return tables
}

// refused is what is wrong with a query of so many tables.
func refused(q runstore.Query, tables int) error {
	byCreation := q.Order == runstore.NewestFirst || q.Order == runstore.OldestFirst
	unordered := q.Order == runstore.Unordered
	placed := q.After != "" || q.Before != ""
	switch {
	case q.EnvironmentID == "" || q.Order > runstore.LastUpdatedFirst || q.Offset < 0 || wrong(q.Filter),
		q.After != "" && q.Before != "", placed && (!byCreation || q.Offset != 0), q.Before != "" && q.Limit == 0:
		return &runstore.InvalidError{}
	case tables == 2 && (q.Limit < 0 || q.Offset != 0 || q.Limit > 0 && unordered || !unordered && !byCreation):
		return &runstore.SpanError{}
	case q.Limit < 0 || q.Offset != 0 && unordered:
		return &runstore.InvalidError{}
	}
	return nil
}

// side are the runs that a query asks for, however many, in its order: all, or those on
// one side of a place.
func (n *naive) side(q runstore.Query) ([]runstore.Run, *standing, error) {
	compare := older
	switch q.Order {
	case runstore.HighestNumberFirst:
		compare = func(a, b runstore.Run) int { return orID(int(a.Number)-int(b.Number), a, b) }
	case runstore.LastUpdatedFirst:
		compare = func(a, b runstore.Run) int { return orID(a.UpdatedAt.Compare(b.UpdatedAt), a, b) }
	}
	inOrder := compare
	if q.Order != runstore.OldestFirst {
		inOrder = func(a, b runstore.Run) int { return compare(b, a) }
	}
	all := n.listed().find(q.EnvironmentID, q.Filter)
	slices.SortFunc(all, inOrder)
	text := q.After + q.Before
	if text == "" {
		return all, nil, nil
	}
	at, ok := n.places[text]
	if !ok || at.env != q.EnvironmentID || at.order != q.Order {
		return nil, nil, &runstore.PlaceError{}
	}
	var side []runstore.Run
	for _, run := range all {
		c := inOrder(run, runstore.Run{CreatedAt: at.created, ID: at.id})
		if c == 0 && at.with || c > 0 && q.After != "" || c < 0 && q.Before != "" {
			side = append(side, run)
		}
	}
	return side, &at, nil
}

// orID compares ids where something else is the same.
func orID(c int, a, b runstore.Run) int {
	if c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

func (n *naive) FindMany(_ context.Context, q runstore.Query) ([]runstore.Run, error) {
	if err := refused(q, asks(q.Filter)); err != nil {
		return nil, err
	}
	runs, _, err := n.side(q)
	runs = runs[min(q.Offset, len(runs)):]
	if q.Limit > 0 && len(runs) > q.Limit {
		if q.Before != "" {
			runs = runs[len(runs)-q.Limit:] // next to the place
		} else {
			runs = runs[:q.Limit]
		}
	}
	if q.WithoutLarge {
		for i := range runs {
			runs[i] = slim(runs[i])
		}
	}
	return runs, err
}

// FindPage gives places to go on from: on that side of a page on which there are more
// runs, and on that from which one came. An empty page leads back.
func (n *naive) FindPage(ctx context.Context, q runstore.Query) (runstore.Page, error) {
	if q.Limit == 0 || q.Limit > 1000 || q.Order == runstore.Unordered {
		return runstore.Page{}, &runstore.InvalidError{}
	}
	if err := refused(q, 2); err != nil {
		return runstore.Page{}, err
	}
	side, at, err := n.side(q)
	if err != nil {
		return runstore.Page{}, err
	}
	runs, err := n.FindMany(ctx, q)
	page := runstore.Page{Runs: runs}
	more := len(side) > len(runs)
	switch {
	case len(runs) == 0 && at != nil:
		at.with = true
		if q.After != "" {
			page.Previous = n.place(*at)
		} else {
			page.Next = n.place(*at)
		}
	case len(runs) > 0:
		first, last := runs[0], runs[len(runs)-1]
		if q.After != "" || q.Before != "" && more {
			page.Previous = n.place(standing{q.EnvironmentID, q.Order, first.CreatedAt, first.ID, false})
		}
		if q.Before != "" || more {
			page.Next = n.place(standing{q.EnvironmentID, q.Order, last.CreatedAt, last.ID, false})
		}
	}
	return page, err
}

// place is a text for a place.
func (n *naive) place(at standing) string {
	text := fmt.Sprintf("%+v", at)
	n.places[text] = at
	return text
}
