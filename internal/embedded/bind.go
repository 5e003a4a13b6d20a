package embedded

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// query is a definition that was looked up in the catalog: every column exists
// and every value has its column's type. It is immutable.
type query struct {
	schema  *tableSchema
	all     bool            // the request named no columns
	columns []*columnSchema // sorted by name
	names   []string        // their names
	tests   []test
	encoder *encoder
	header  string // electric-schema
}

// bind looks a definition up.
func bind(d *definition, t *tableSchema) (*query, *requestError) {
	q := &query{schema: t, all: d.columns == nil}
	names := d.columns
	if q.all {
		for _, c := range t.columns {
			names = append(names, c.name)
		}
		slices.Sort(names)
	}
	var missing []string
	for _, n := range names {
		c := t.column(n)
		if c == nil {
			missing = append(missing, n)
			continue
		}
		q.columns = append(q.columns, c)
	}
	if missing != nil {
		return nil, &requestError{"columns", "The following columns are not found on the table: " + strings.Join(missing, ", ")}
	}
	q.names = names
	pk := t.primaryKey()
	for _, p := range pk {
		if !slices.Contains(names, p) {
			missing = append(missing, p)
		}
	}
	if missing != nil {
		return nil, &requestError{"columns", "The list of columns must include all primary key columns, missing: " + strings.Join(missing, ", ")}
	}
	for _, c := range d.where {
		typed, err := bindCondition(c, t)
		if err != nil {
			return nil, err
		}
		q.tests = append(q.tests, typed)
	}
	q.encoder = newEncoder(t.table, names, pk)
	q.header = schemaHeader(q.columns)
	return q, nil
}

func bindCondition(c condition, t *tableSchema) (test, *requestError) {
	fail := func(message string) (test, *requestError) {
		return nil, &requestError{"where", "At location " + strconv.Itoa(c.at) + ": " + message}
	}
	col := t.column(c.column)
	if col == nil {
		return fail("unknown reference " + c.column)
	}
	for _, v := range c.values {
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return fail("a parameter is not text that Postgres can hold")
		}
	}
	switch {
	case col.loose && c.op != greater:
		return fail("not supported on a column whose collation is not deterministic")
	case c.op == equals && (col.typeOID == oidText || col.typeOID == oidVarchar):
		return equalText{c.column, c.values[0]}, nil
	case c.op == contains && col.typeOID == oidTextArray:
		return containsAll{c.column, c.values}, nil
	case c.op == greater && col.typeOID == oidTimestamp:
		bound, ok := parseBound(c.values[0])
		if !ok {
			return fail("invalid syntax for type timestamp")
		}
		return afterTime{c.column, bound}, nil
	case c.op == greater && (col.typeOID == oidInt2 || col.typeOID == oidInt4 || col.typeOID == oidInt8):
		bound, err := strconv.ParseInt(c.values[0], 10, 64)
		if err != nil {
			return fail("invalid syntax for type " + col.typeName)
		}
		return greaterInt{c.column, bound}, nil
	}
	return fail("not supported on type " + col.typeName + ": the embedded shape server knows = on text, > on timestamp and integers, @> on text[]")
}

// sql selects the rows of the shape, with columns in the order of names. A
// boolean is cast: a snapshot says true and false where the log says t and f.
func (q *query) sql() (text string, args []string) {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range q.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteIdentifier(c.name))
		if c.typeOID == oidBool {
			b.WriteString("::text")
		}
	}
	b.WriteString(" FROM " + quoteTable(q.schema.table))
	for i, t := range q.tests {
		if i == 0 {
			b.WriteString(" WHERE ")
		} else {
			b.WriteString(" AND ")
		}
		clause, values := t.sql(len(args) + 1)
		b.WriteString(clause)
		args = append(args, values...)
	}
	return b.String(), args
}

func quoteTable(t replication.Table) string {
	return quoteIdentifier(t.Schema) + "." + quoteIdentifier(t.Name)
}
