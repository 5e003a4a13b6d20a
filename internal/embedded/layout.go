package embedded

import (
	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// sameLayout says whether another look at the catalog shows the same table, as
// far as this query can tell.
func (q *query) sameLayout(now *tableSchema) bool {
	if now == nil || now.oid != q.schema.oid || q.all && len(now.columns) != len(q.schema.columns) {
		return false
	}
	same := func(name string) bool {
		a, b := q.schema.column(name), now.column(name)
		return a != nil && b != nil && *a == *b
	}
	for _, n := range q.names {
		if !same(n) {
			return false
		}
	}
	for _, t := range q.tests {
		if !same(t.column()) {
			return false
		}
	}
	return true
}

// layout finds a query's columns in the tuples of one relation.
type layout struct {
	relation *replication.Relation
	columns  []int // places of the selected columns
	tests    []int // places of the tested columns, one for each test
}

// fit makes the layout for a relation. ok is false when the table has changed
// in a way that the query cannot outlive: renamed, made anew, a selected or
// tested column changed, or any column added or dropped when all are selected.
func (q *query) fit(r *replication.Relation) (l *layout, ok bool) {
	if r.OID != q.schema.oid || r.Table != q.schema.table || q.all && len(r.Columns) != len(q.schema.columns) {
		return nil, false
	}
	place := func(name string) int {
		i, c := r.Index(name), q.schema.column(name)
		if i < 0 || c == nil || r.Columns[i].TypeOID != c.typeOID || r.Columns[i].Modifier != c.modifier {
			return -1
		}
		return i
	}
	l = &layout{relation: r}
	for _, n := range q.names {
		i := place(n)
		if i < 0 {
			return nil, false
		}
		l.columns = append(l.columns, i)
	}
	for _, t := range q.tests {
		i := place(t.column())
		if i < 0 {
			return nil, false
		}
		l.tests = append(l.tests, i)
	}
	return l, true
}

// selects says whether a row is in the shape.
func (q *query) selects(l *layout, row replication.Tuple) bool {
	if row == nil {
		return false
	}
	for i, t := range q.tests {
		if !t.match(row[l.tests[i]]) {
			return false
		}
	}
	return true
}

// project takes the selected columns of a row.
func (l *layout) project(row replication.Tuple) replication.Tuple {
	if row == nil {
		return nil
	}
	out := make(replication.Tuple, len(l.columns))
	for i, at := range l.columns {
		out[i] = row[at]
	}
	return out
}
