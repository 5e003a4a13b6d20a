package embedded

import (
	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// scopeColumn is the equality that nearly every feed has; together with another
// column it makes a bucket of its own, so that a tag which many environments use
// does not bring their shapes together.
const scopeColumn = "runtimeEnvironmentId"

// bucket is what the rows of a shape have in common: the value of one column,
// or one element of an array column, within one environment. Parts that a shape
// does not fix are empty.
type bucket struct{ scope, column, value string }

// tableIndex finds the shapes of a table that a row may concern.
type tableIndex struct {
	relation *replication.Relation // as last seen in the log
	schema   *tableSchema          // as last seen in the catalog
	shapes   map[*shape]struct{}
	buckets  map[bucket]map[*shape]struct{}
	equal    map[string]int // columns that buckets compare, with the number of shapes
	arrays   map[string]int // columns of whose elements buckets hold one, likewise
	places   map[string]int // where a column is in relation, -1 if nowhere
}

func newTableIndex() *tableIndex {
	return &tableIndex{
		shapes:  make(map[*shape]struct{}),
		buckets: make(map[bucket]map[*shape]struct{}),
		equal:   make(map[string]int),
		arrays:  make(map[string]int),
	}
}

// bucketOf chooses a shape's bucket: the most selective equality, else a tag,
// else the environment alone, else the one bucket of all rows.
func bucketOf(q *query) (b bucket, array bool) {
	rank := 0 // of what b.column is
	take := func(r int, column, value string) {
		if r > rank {
			rank, b.column, b.value, array = r, column, value, r == 1
		}
	}
	for _, t := range q.tests {
		switch t := t.(type) {
		case equalText:
			switch t.name {
			case scopeColumn:
				b.scope = t.value
			case "id":
				take(4, t.name, t.value)
			case "batchId":
				take(3, t.name, t.value)
			default:
				take(2, t.name, t.value)
			}
		case containsAll:
			take(1, t.name, t.values[0])
		}
	}
	return b, array
}

func (x *tableIndex) add(sh *shape) {
	b, array := bucketOf(sh.query)
	x.shapes[sh] = struct{}{}
	set := x.buckets[b]
	if set == nil {
		set = make(map[*shape]struct{})
		x.buckets[b] = set
	}
	set[sh] = struct{}{}
	x.count(b, array, 1)
}

func (x *tableIndex) remove(sh *shape) {
	if _, ok := x.shapes[sh]; !ok {
		return
	}
	delete(x.shapes, sh)
	b, array := bucketOf(sh.query)
	set := x.buckets[b]
	delete(set, sh)
	if len(set) == 0 {
		delete(x.buckets, b)
	}
	x.count(b, array, -1)
}

func (x *tableIndex) count(b bucket, array bool, by int) {
	if b.column == "" {
		return
	}
	columns := x.equal
	if array {
		columns = x.arrays
	}
	if columns[b.column] += by; columns[b.column] == 0 {
		delete(columns, b.column)
	}
}

// follow notes the relation of the rows that come next, and says whether it is
// another one than before.
func (x *tableIndex) follow(r *replication.Relation) bool {
	if x.relation == r {
		return false
	}
	x.relation = r
	x.places = make(map[string]int)
	return true
}

// value is a column's value in a row of the followed relation.
func (x *tableIndex) value(row replication.Tuple, column string) (replication.Value, bool) {
	at, ok := x.places[column]
	if !ok {
		at = x.relation.Index(column)
		x.places[column] = at
	}
	if at < 0 || row[at].Null {
		return replication.Value{}, false
	}
	return row[at], true
}

// find calls visit for every shape that the row may concern, some of them more
// than once. The row is one of the followed relation.
func (x *tableIndex) find(row replication.Tuple, visit func(*shape)) {
	if row == nil {
		return
	}
	each := func(b bucket) {
		for sh := range x.buckets[b] {
			visit(sh)
		}
	}
	x.findScoped(row, "", each)
	if scope, ok := x.value(row, scopeColumn); ok && scope.Text != "" {
		x.findScoped(row, scope.Text, each)
	}
}

func (x *tableIndex) findScoped(row replication.Tuple, scope string, each func(bucket)) {
	each(bucket{scope: scope})
	for column := range x.equal {
		if v, ok := x.value(row, column); ok {
			each(bucket{scope, column, v.Text})
		}
	}
	for column := range x.arrays {
		v, ok := x.value(row, column)
		if !ok {
			continue
		}
		elements, _ := parseTextArray(v.Text)
		for _, e := range elements {
			if !e.Null {
				each(bucket{scope, column, e.Text})
			}
		}
	}
}
