package runstore

import (
	"fmt"
	"strings"
)

// Query asks for runs of one environment.
type Query struct {
	EnvironmentID string // required
	Filter        Filter
	Order         Order
	Limit         int // 0: all
	Offset        int // for a query of one table only

	// After and Before are places between runs, from a Page: the runs that follow
	// the place in the order, or those that come just before it. At most one is
	// set, and the order is by creation.
	After, Before string

	// WithoutLarge leaves out what may be large and what a list does not show:
	// Payload, SeedMetadata, Output, Context, TraceContext.
	WithoutLarge bool
}

// Order is how runs are ordered. Runs that an order does not tell apart are in
// the order of their ids' bytes, in every database.
type Order uint8

// The orders. The two by creation are the ones that two tables have in common;
// the others are for queries of one table.
const (
	Unordered Order = iota
	NewestFirst
	OldestFirst
	HighestNumberFirst // each table counts its own runs
	LastUpdatedFirst   // changes while it is paged
)

// byCreation says that both tables can be read in this order, as one.
func (o Order) byCreation() bool { return o == NewestFirst || o == OldestFirst }

// SpanError says that a query of both run tables asks for what has no one answer
// over two tables. The query may be right for one: see Filter.IDs.
type SpanError struct {
	What string // what was asked for
	Do   string // what to ask for instead
}

// Error says what to do.
func (e *SpanError) Error() string {
	return fmt.Sprintf("runstore: %s cannot span the two run tables: %s", e.What, e.Do)
}

// check refuses a query that cannot be answered rightly.
func (q Query) check(tables int) error {
	refuse := func(reason string) error { return &InvalidError{What: "a query", Reason: reason} }
	switch {
	case q.EnvironmentID == "":
		return refuse("its environment is empty")
	case q.Order > LastUpdatedFirst:
		return refuse("there is no such order")
	case q.Offset < 0:
		return refuse("its offset is negative")
	case q.After != "" && q.Before != "":
		return refuse("it has both After and Before: give one")
	case (q.After != "" || q.Before != "") && !q.Order.byCreation():
		return refuse("it has a place to go on from and no order by creation")
	case (q.After != "" || q.Before != "") && q.Offset != 0:
		return refuse("it has a place to go on from and an offset: give one")
	case q.Before != "" && q.Limit == 0:
		return refuse("it has Before and no limit")
	}
	if err := q.Filter.check(); err != nil {
		return err
	}
	if tables < 2 {
		switch {
		case q.Limit < 0:
			return refuse("its limit is negative")
		case q.Offset != 0 && q.Order == Unordered:
			return refuse("it has an offset and no order")
		}
		return nil
	}
	switch {
	case q.Limit < 0:
		return &SpanError{"a negative limit", "turn the order round, or page with Before"}
	case q.Offset != 0:
		return &SpanError{"an offset", "page with After and Before"}
	case q.Limit > 0 && q.Order == Unordered:
		return &SpanError{"a limit without an order", "order by creation"}
	case q.Order != Unordered && !q.Order.byCreation():
		return &SpanError{"an order other than by creation", "order by creation"}
	}
	return nil
}

// orderBy is the ORDER BY of runs whose columns are qualified by r, turned round
// for who reads backwards. COLLATE "C" orders ids by their bytes, as Go does:
// the database's own collation may hold ids of the two formats equal, or order
// them otherwise from one server to the next.
func (q Query) orderBy(backwards bool, id string) string {
	column, descending := `r."createdAt"`, true
	switch q.Order {
	case Unordered:
		return ""
	case OldestFirst:
		descending = false
	case HighestNumberFirst:
		column = "r.number"
	case LastUpdatedFirst:
		column = `r."updatedAt"`
	}
	direction := "ASC"
	if descending != backwards {
		direction = "DESC"
	}
	return strings.NewReplacer("{column}", column, "{id}", id, "{direction}", direction).Replace(" ORDER BY {column} {direction}, {id} {direction}")
}
