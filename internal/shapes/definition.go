package shapes

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Table names a table of the upstream database.
type Table struct {
	Schema string
	Name   string
}

// The two tables in which a run can live.
var (
	LegacyTable = Table{Schema: "public", Name: "TaskRun"}
	V2Table     = Table{Schema: "public", Name: "task_run_v2"}
)

// String is the table as Electric's table parameter wants it: parts that are
// not plain lower-case identifiers are quoted.
func (t Table) String() string { return identifier(t.Schema) + "." + identifier(t.Name) }

// Side is what the table is called in logs: the side of a feed that it is, and its
// own name.
func (t Table) Side() string {
	switch t {
	case LegacyTable:
		return "legacy (" + t.String() + ")"
	case V2Table:
		return "v2 (" + t.String() + ")"
	}
	return t.String()
}

func identifier(s string) string {
	for i, c := range []byte(s) {
		lower := c >= 'a' && c <= 'z' || c == '_'
		if !lower && (i == 0 || c < '0' || c > '9') {
			return quote(s)
		}
	}
	return s
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Condition is one term of a where clause: a column, an operator and values.
// The terms of a Definition are joined by AND.
type Condition struct {
	column string
	op     operator
	values []string
}

type operator uint8

const (
	opEqual operator = iota
	opContainsAll
	opAfter
)

// Equal holds for rows whose column is value.
func Equal(column, value string) Condition {
	return Condition{column, opEqual, []string{value}}
}

// ContainsAll holds for rows whose array column contains every one of values.
// Their order and repetitions do not matter, and do not make another shape.
func ContainsAll(column string, values []string) Condition {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return Condition{column, opContainsAll, slices.Compact(sorted)}
}

// After holds for rows whose timestamp column lies after t, to the millisecond.
func After(column string, t time.Time) Condition {
	return Condition{column, opAfter, []string{t.UTC().Format("2006-01-02T15:04:05.000Z")}}
}

// Definition says which rows and columns of which table a shape holds. It is
// immutable and safe for concurrent use.
//
// There is one spelling for each meaning, because Electric makes another shape
// for every spelling: columns in one order, list values sorted, values always
// bound as params[n]. No value ever stands in the text of the where clause.
type Definition struct {
	table       Table
	query       string
	environment string
}

// EnvironmentColumn is the column that says whose a row is.
const EnvironmentColumn = "runtimeEnvironmentId"

// Define makes a Definition. Columns must name at least the primary key;
// their order and repetitions do not matter. Conditions keep their order.
func Define(table Table, columns []string, conditions ...Condition) *Definition {
	sorted := slices.Clone(columns)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for i, c := range sorted {
		sorted[i] = quote(c)
	}
	var where strings.Builder
	values := url.Values{}
	environment := ""
	for i, c := range conditions {
		if c.column == EnvironmentColumn && c.op == opEqual {
			environment = c.values[0]
		}
		if i > 0 {
			where.WriteString(" AND ")
		}
		c.render(&where, values)
	}
	values.Set("table", table.String())
	values.Set("columns", strings.Join(sorted, ","))
	values.Set("log", "full")
	if where.Len() > 0 {
		values.Set("where", where.String())
	}
	return &Definition{table: table, query: values.Encode(), environment: environment}
}

// render writes the term with placeholders, and binds its values under the
// next free numbers.
func (c Condition) render(where *strings.Builder, params url.Values) {
	bind := func(v string) {
		n := strconv.Itoa(len(params) + 1)
		params.Set("params["+n+"]", v)
		where.WriteString("$" + n)
	}
	where.WriteString(quote(c.column))
	switch c.op {
	case opEqual:
		where.WriteString(" = ")
		bind(c.values[0])
	case opAfter:
		where.WriteString(" > ")
		bind(c.values[0])
	case opContainsAll:
		where.WriteString(" @> ARRAY[")
		for i, v := range c.values {
			if i > 0 {
				where.WriteByte(',')
			}
			bind(v)
		}
		where.WriteByte(']')
	}
}

// Table is the table of the shape's rows.
func (d *Definition) Table() Table { return d.table }

// Environment is whose rows the shape holds: the value that EnvironmentColumn must
// equal, so that who pays for a shape is who may see it. It is empty where no
// condition says so, which no feed does.
func (d *Definition) Environment() string { return d.environment }

// Query is the definition as the encoded part of an upstream request's query
// that does not change from call to call. Equal queries are equal definitions,
// so it also serves as the key under which calls are shared. It holds values:
// keep it out of logs.
func (d *Definition) Query() string { return d.query }
