package runstore_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// list is a query for pages of an environment's runs, and every run that it selects.
func (m *machine) list(t *rapid.T) runstore.Query {
	return runstore.Query{
		EnvironmentID: m.env(t), Filter: m.filter(t), Limit: between(t, "limit", 1, 7), Order: oneOf(t, "order", runstore.OldestFirst, runstore.NewestFirst),
	}
}

// all are the ids of the runs that a query for pages selects, in its order.
func (m *machine) all(q runstore.Query) []string {
	runs := m.naive.listed().find(q.EnvironmentID, q.Filter)
	if q.Order == runstore.NewestFirst {
		slices.Reverse(runs)
	}
	return idsOf(runs)
}

// page is a page, which is the one that the naive store has, too.
func (m *machine) page(t *rapid.T, q runstore.Query) (runstore.Page, bool) {
	page, err := m.call(t, "FindPage", q)
	return page.(runstore.Page), err == nil
}

// meanwhile is what happens between two pages: some runs are made, where a flag says
// that was turned, and changed, so that a filter may select them or not any more, and
// deleted.
func (m *machine) meanwhile(t *rapid.T) {
	switch between(t, "change", 0, 4) {
	case 0:
		m.flip(t)
	case 1, 2:
		m.ask(t, "Create")
	case 3:
		m.ask(t, oneOf(t, "write", writeMethods()...))
	case 4:
		if len(m.naive.primary.runs) > 0 {
			m.delete(t)
		}
	}
}

// reading is a way through a list, page by page.
type reading struct {
	m      *machine
	q      runstore.Query
	read   []string // in the order of the list
	always []string // what the list had at every moment
	left   int      // of what may happen meanwhile, so that it ends
}

// next reads a page.
func (r *reading) next(t *rapid.T) (runstore.Page, bool) {
	page, ok := r.m.page(t, r.q)
	if r.q.Before != "" {
		r.read = append(idsOf(page.Runs), r.read...)
	} else {
		r.read = append(r.read, idsOf(page.Runs)...)
	}
	return page, ok
}

// changes lets something happen.
func (r *reading) changes(t *rapid.T) {
	for ; r.left > 0 && rapid.Bool().Draw(t, "meanwhile"); r.left-- {
		r.m.meanwhile(t)
		there := r.m.all(r.q)
		r.always = slices.DeleteFunc(r.always, func(id string) bool { return !slices.Contains(there, id) })
	}
}

// done checks that what was there all along was read, in order, and nothing twice.
func (r *reading) done(t *rapid.T, way string) {
	if len(slices.Compact(sorted(r.read))) != len(r.read) {
		t.Fatalf("%s: it read a run twice: %v", way, r.read)
	}
	got := slices.DeleteFunc(slices.Clone(r.read), func(id string) bool { return !slices.Contains(r.always, id) })
	if !slices.Equal(got, r.always) {
		t.Fatalf("%s: of what was there all along it read\n %v, want\n %v", way, got, r.always)
	}
}

// walkAmid reads a list to its end and back to its beginning, while other things happen.
func (m *machine) walkAmid(t *rapid.T) { m.walkWith(t, m.list(t), 8) }

// walk is the same in peace, in a list of any store: it reads all there is.
func (m *machine) walk(t *rapid.T) {
	m = m.either(t)
	m.walkWith(t, m.list(t), 0)
}

func (m *machine) walkWith(t *rapid.T, q runstore.Query, changes int) {
	forth := &reading{m: m, q: q, always: m.all(q), left: changes}
	page, ok := forth.next(t)
	back := &reading{m: m, q: q, always: m.all(q), read: idsOf(page.Runs)}
	for ok && page.Next != "" {
		forth.changes(t)
		forth.q.After = page.Next
		back.always = m.all(q) // what is there as the last page is read
		page, ok = forth.next(t)
		back.read = idsOf(page.Runs)
	}
	if !ok {
		return // the filter is one for what there is not
	}
	forth.done(t, "forth")
	back.left = changes
	for page.Previous != "" {
		back.changes(t)
		back.q.Before = page.Previous
		page, _ = back.next(t)
	}
	back.done(t, "back")
}

// backAndForth turns round in the middle of a list, again and again, with pages of
// other sizes, and now and then another filter.
func (m *machine) backAndForth(t *rapid.T) {
	q := m.list(t)
	for range between(t, "pages", 2, 8) {
		page, ok := m.page(t, q)
		if !ok {
			return
		}
		if rapid.Bool().Draw(t, "meanwhile") {
			m.meanwhile(t)
		}
		if rarely(t, "another filter") {
			q.Filter = m.filter(t)
		}
		q.Limit = between(t, "another limit", 1, 7)
		q.After, q.Before = page.Next, ""
		if page.Previous != "" && (page.Next == "" || rapid.Bool().Draw(t, "back")) {
			q.After, q.Before = "", page.Previous
		}
	}
}
