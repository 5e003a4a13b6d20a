package runstore_test

import (
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// filter is any combination of fields, each with what one of the runs has, or two.
func (m *machine) filter(t *rapid.T) runstore.Filter {
	var f runstore.Filter
	fields := reflect.TypeFor[runstore.Filter]()
	var names []string
	for i := range fields.NumField() {
		names = append(names, fields.Field(i).Name)
	}
	for _, name := range someOf(t, "fields", oneOf(t, "most fields", 0, 1, 1, 2, 3, len(names)), names...) {
		one, ok := filters(m.anyRun(t), m.anyRun(t))[name]
		if !ok {
			t.Fatalf("the model does not know what to look for by %s", name)
		}
		to, from := reflect.ValueOf(&f).Elem().FieldByName(name), reflect.ValueOf(one).FieldByName(name)
		to.Set(from)
		if to.Kind() == reflect.Slice && rarely(t, "of none") {
			to.Set(reflect.MakeSlice(to.Type(), 0, 0))
		}
	}
	if f.IDs != nil && rapid.Bool().Draw(t, "many ids") {
		f.IDs = m.someIDs(t)
	}
	switch between(t, "what there is not", 0, 39) {
	case 38:
		f.Statuses = append(slices.Clone(f.Statuses), "NONSENSE")
	case 39:
		f.FriendlyIDs = append(slices.Clone(f.FriendlyIDs), m.batchName(t))
	}
	for _, bound := range []*time.Time{&f.CreatedFrom, &f.CreatedBefore} {
		if !bound.IsZero() && rarely(t, "a bound between") {
			*bound = bound.Add(time.Duration(oneOf(t, "by", -400, 400)) * time.Microsecond)
		}
	}
	return f
}

// query asks for what has one answer, mostly.
func (m *machine) query(t *rapid.T) runstore.Query {
	q := runstore.Query{EnvironmentID: m.env(t), Filter: m.filter(t), WithoutLarge: rapid.Bool().Draw(t, "without large")}
	q.Order = oneOf(t, "order", runstore.NewestFirst, runstore.OldestFirst)
	q.Limit = between(t, "limit", 0, 4)
	if between(t, "of one table perhaps", 0, 3) == 3 {
		q.Order = runstore.Order(between(t, "any order", 0, 5))
		q.Offset = between(t, "offset", -1, 2)
		q.Limit = between(t, "any limit", -1, 4)
		if rapid.Bool().Draw(t, "ids of one table") {
			q.Filter.IDs = slices.DeleteFunc(m.someIDs(t), func(id string) bool { return runid.Home(id) != runid.V2 })
		}
	}
	if rarely(t, "of nobody") {
		q.EnvironmentID = ""
	}
	return m.placed(t, q)
}

func (m *machine) pageQuery(t *rapid.T) runstore.Query {
	q := m.query(t)
	if !rarely(t, "any limit") {
		q.Limit = between(t, "page's limit", 1, 7)
	} else if rapid.Bool().Draw(t, "too large") {
		q.Limit = runstore.MaxPage + 1
	}
	return q
}

// placed is a query from some place that was given before, mostly in the same list.
func (m *machine) placed(t *rapid.T, q runstore.Query) runstore.Query {
	if len(*m.given) == 0 || !rapid.Bool().Draw(t, "from a place") {
		return q
	}
	text := oneOf(t, "place", *m.given...)
	if !rarely(t, "in another list") {
		at := m.naive.places[text]
		q.EnvironmentID, q.Order, q.Offset = at.env, at.order, 0
	}
	if rapid.Bool().Draw(t, "back") {
		q.Before = text
	} else {
		q.After = text
	}
	return q
}
