package embedded

import (
	"slices"
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// definition is what a request asks for, as far as it can be told from the
// request alone: names are not yet looked up, values not yet typed. Two
// requests with the same identity read the same shape.
type definition struct {
	table   replication.Table
	columns []string // sorted; nil means all
	where   []condition
}

// operator is the comparison of a condition.
type operator uint8

const (
	equals   operator = iota + 1 // "column" = $n
	contains                     // "column" @> ARRAY[$n,...]
	greater                      // "column" > $n
)

// condition is one conjunct of a where clause with its parameters filled in.
type condition struct {
	op     operator
	column string
	values []string // one, except for contains
	at     int      // where in the clause the condition starts, for errors
}

// identity spells the definition out. The order of columns does not matter,
// that of conditions and of array elements does, as in Electric: a gateway has
// to choose one spelling.
func (d *definition) identity() string {
	var b strings.Builder
	part := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	part(d.table.Schema)
	part(d.table.Name)
	b.WriteByte('|')
	if d.columns == nil {
		b.WriteByte('*')
	}
	for _, c := range d.columns {
		part(c)
	}
	for _, c := range d.where {
		b.WriteByte('|')
		b.WriteString(strconv.Itoa(int(c.op)))
		part(c.column)
		for _, v := range c.values {
			part(v)
		}
	}
	return b.String()
}

// requestError is a 400 that names the parameter and what is wrong with it.
// Neither holds a value of a request.
type requestError struct {
	field   string
	message string
}

func (e *requestError) Error() string { return e.field + ": " + e.message }

// parseTable reads a table parameter: name or schema.name, each part plain or
// in double quotes (the rules and the words are those of sync-service
// 1.7.12, postgres/identifiers.ex).
func parseTable(s string) (replication.Table, *requestError) {
	if s == "" {
		return replication.Table{}, &requestError{"table", "can't be blank"}
	}
	parts := splitOutsideQuotes(s, '.')
	if len(parts) > 2 {
		return replication.Table{}, &requestError{"table", "Invalid relation identifier, too many delimiters: " + s}
	}
	names := make([]string, len(parts))
	for i, p := range parts {
		name, problem := parseIdentifier(p)
		if problem != "" {
			return replication.Table{}, &requestError{"table", problem}
		}
		names[i] = name
	}
	if len(names) == 1 {
		return replication.Table{Schema: "public", Name: names[0]}, nil
	}
	return replication.Table{Schema: names[0], Name: names[1]}, nil
}

// parseColumns reads a columns parameter. No text means all columns.
func parseColumns(s string) ([]string, *requestError) {
	if s == "" {
		return nil, nil
	}
	var names []string
	for _, p := range splitOutsideQuotes(s, ',') {
		name, problem := parseIdentifier(p)
		if problem != "" {
			return nil, &requestError{"columns", problem}
		}
		if slices.Contains(names, name) {
			return nil, &requestError{"columns", "The following columns are not found on the table: " + name}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func splitOutsideQuotes(s string, sep byte) []string {
	var parts []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// parseIdentifier reads one SQL identifier, or says in Electric's words what is
// wrong with it.
func parseIdentifier(s string) (name, problem string) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		inner := s[1 : len(s)-1]
		if strings.Contains(strings.ReplaceAll(inner, `""`, ""), `"`) {
			return "", "Invalid identifier with unescaped quote: " + s
		}
		name = strings.ReplaceAll(inner, `""`, `"`)
	} else {
		for i := 0; i < len(s); i++ {
			if !identifierByte(s[i], i == 0) {
				return "", "Invalid unquoted identifier contains special characters: " + s
			}
		}
		name = lowerASCII(s)
	}
	switch {
	case name == "":
		return "", "Invalid zero-length delimited identifier"
	case len(name) > 63:
		return "", "Identifier too long (max length is 63): " + name
	}
	return name, ""
}

// identifierByte says whether c can stand in an unquoted identifier. Bytes of
// multi-byte characters can.
func identifierByte(c byte, first bool) bool {
	switch {
	case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
		return true
	case c == '$', c >= '0' && c <= '9':
		return !first
	}
	return false
}

// lowerASCII folds as Postgres folds an unquoted identifier in a UTF-8
// database: only the letters of ASCII.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
