package shapes

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A ColumnMismatch says that the two tables describe a column differently, so
// that no one schema header is true of both. The operator has to mend the
// tables.
type ColumnMismatch struct {
	Column string
	Detail string
}

func (e *ColumnMismatch) Error() string {
	return fmt.Sprintf("column %q differs between the two run tables (%s): make their definitions equal", e.Column, e.Detail)
}

// MergeSchemas makes one electric-schema header of those of all sides of a
// feed: JSON objects, column to type. not_null and pk_index stay only where
// every side has them alike, because clients reject a null where the header
// forbids it. An array that Electric calls "_text" without dims, as it does for
// a table made with LIKE, is given its element's type and dims 1. Any other
// difference is a *ColumnMismatch.
func MergeSchemas(headers ...string) (string, error) {
	var merged map[string]column
	for _, header := range headers {
		var s map[string]column
		if err := json.Unmarshal([]byte(header), &s); err != nil || s == nil {
			return "", malformed("the electric-schema header is not a JSON object of columns")
		}
		for name, c := range s {
			if c == nil {
				return "", malformed("the electric-schema header says nothing of a column")
			}
			c.nameElement()
			s[name] = c
		}
		if merged == nil {
			merged = s
			continue
		}
		if err := intersect(merged, s); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(merged)
	return string(b), err
}

// column is one entry of a schema header. Its further members (precision,
// max_length ...) are kept as they are.
type column map[string]json.RawMessage

func (c column) nameElement() {
	var name string
	if c["dims"] != nil || json.Unmarshal(c["type"], &name) != nil {
		return
	}
	if element, isArray := strings.CutPrefix(name, "_"); isArray {
		quoted, err := json.Marshal(element)
		if err == nil {
			c["type"], c["dims"] = quoted, json.RawMessage("1")
		}
	}
}

func intersect(into, other map[string]column) error {
	for name := range other {
		if into[name] == nil {
			return &ColumnMismatch{name, "one side does not have it"}
		}
	}
	for name, c := range into {
		d := other[name]
		if d == nil {
			return &ColumnMismatch{name, "one side does not have it"}
		}
		for _, flag := range []string{"not_null", "pk_index"} {
			if string(c[flag]) != string(d[flag]) {
				delete(c, flag)
				delete(d, flag)
			}
		}
		for _, pair := range [2][2]column{{c, d}, {d, c}} {
			for member, value := range pair[0] {
				if string(pair[1][member]) != string(value) {
					return &ColumnMismatch{name, member}
				}
			}
		}
	}
	return nil
}
