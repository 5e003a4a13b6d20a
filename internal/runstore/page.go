package runstore

import "context"

// MaxPage is the largest page.
const MaxPage = 1000

// Page is a stretch of an environment's runs, in the query's order.
type Page struct {
	Runs []Run

	// Next and Previous are places to read on from, for Query.After and
	// Query.Before. Next is empty at the end of the list, Previous at its
	// beginning. They do not expire. A page behind whose place there is nothing
	// any more has no runs, and the way back.
	Next, Previous string
}

// FindPage reads a page: a query with an order by creation and a limit. Pages
// that follow one another by their places have every run once that is there all
// along, wherever it is and however many were created in one millisecond. One
// run more than the page holds is asked for, from each table, to know whether a
// page follows.
func (s *Store) FindPage(ctx context.Context, q Query) (Page, error) {
	switch {
	case q.Limit == 0 || q.Limit > MaxPage:
		return Page{}, &InvalidError{What: "a page", Reason: "its limit is not between 1 and 1000"}
	case q.Order == Unordered:
		return Page{}, &InvalidError{What: "a page", Reason: "it has no order by creation"}
	}
	if err := q.check(2); err != nil { // what cannot be paged over two tables is not paged over one
		return Page{}, err
	}
	at, err := q.place()
	if err != nil {
		return Page{}, err
	}
	runs, err := s.selectRuns(ctx, "find a page of runs", q, at, q.Limit+1)
	if err != nil {
		return Page{}, err
	}
	more := len(runs) > q.Limit
	backwards := q.Before != ""
	switch {
	case more && backwards: // the one more is the farthest from the place
		runs = runs[1:]
	case more:
		runs = runs[:q.Limit]
	}
	page := Page{Runs: runs}
	if len(runs) == 0 {
		if at == nil {
			return page, nil
		}
		at.with = true // back there, the place's own run comes first
		if backwards {
			page.Next = at.text(q)
		} else {
			page.Previous = at.text(q)
		}
		return page, nil
	}
	// Behind a place there is the run that the place was made from.
	if more || backwards {
		page.Next = placeOf(runs[len(runs)-1]).text(q)
	}
	if backwards && more || q.After != "" {
		page.Previous = placeOf(runs[0]).text(q)
	}
	return page, nil
}
