package embedded

import (
	"slices"
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// test is one condition of a where clause, typed. NULL satisfies none of them,
// as in SQL, where the clause must be true and not merely unknown.
type test interface {
	// column names the one column that the test reads.
	column() string
	// match says whether a value, in Postgres's text form, passes.
	match(replication.Value) bool
	// sql is the condition for Postgres, with its arguments numbered from n on.
	sql(n int) (clause string, args []string)
}

// equalText is column = value on text, where equality is equality of bytes.
type equalText struct{ name, value string }

func (t equalText) column() string { return t.name }

func (t equalText) match(v replication.Value) bool { return !v.Null && v.Text == t.value }

func (t equalText) sql(n int) (string, []string) {
	return quoteIdentifier(t.name) + " = " + placeholder(n, "text"), []string{t.value}
}

// containsAll is column @> values on text[]. Its values are never NULL; NULL
// elements of the column equal nothing.
type containsAll struct {
	name   string
	values []string
}

func (t containsAll) column() string { return t.name }

func (t containsAll) match(v replication.Value) bool {
	if v.Null {
		return false
	}
	elements, ok := parseTextArray(v.Text)
	if !ok {
		return false
	}
	for _, want := range t.values {
		if !slices.ContainsFunc(elements, func(e replication.Value) bool { return !e.Null && e.Text == want }) {
			return false
		}
	}
	return true
}

func (t containsAll) sql(n int) (string, []string) {
	parts := make([]string, len(t.values))
	for i := range parts {
		parts[i] = placeholder(n+i, "text")
	}
	return quoteIdentifier(t.name) + " @> ARRAY[" + strings.Join(parts, ",") + "]", t.values
}

// afterTime is column > bound on timestamp without time zone.
type afterTime struct {
	name  string
	bound timestamp
}

func (t afterTime) column() string { return t.name }

func (t afterTime) match(v replication.Value) bool {
	if v.Null {
		return false
	}
	at, ok := parseStoredTimestamp(v.Text)
	return ok && at > t.bound
}

func (t afterTime) sql(n int) (string, []string) {
	return quoteIdentifier(t.name) + " > " + placeholder(n, "timestamp"), []string{t.bound.String()}
}

// greaterInt is column > bound on the integer types.
type greaterInt struct {
	name  string
	bound int64
}

func (t greaterInt) column() string { return t.name }

func (t greaterInt) match(v replication.Value) bool {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return !v.Null && err == nil && n > t.bound
}

func (t greaterInt) sql(n int) (string, []string) {
	return quoteIdentifier(t.name) + " > " + placeholder(n, "int8"), []string{strconv.FormatInt(t.bound, 10)}
}

func quoteIdentifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func placeholder(n int, typ string) string { return "$" + strconv.Itoa(n) + "::" + typ }
