package shapes

import (
	"bytes"
	"strconv"
)

// Substitute gives rows, framed as in a Batch, with the text new wherever a
// row's column is old. Names and texts are found at their places in the messages:
// the same text in another column, inside a longer one or in a header stays. rows
// is not written to, and is the result itself if there was nothing to do.
//
// old and new must have no character that JSON escapes. It panics if rows was
// not framed by this package.
func Substitute(rows []byte, column, old, new string) []byte {
	// In JSON it stands as it is, or has characters as \uXXXX. Neither is in most rows.
	if !bytes.Contains(rows, []byte(old)) && !escapesLetters(rows) {
		return rows
	}
	s := substitution{column: column, old: old, new: []byte(strconv.Quote(new)), rows: rows}
	each(rows, s.message)
	if s.out == nil {
		return rows
	}
	return append(s.out, rows[s.taken:]...)
}

type substitution struct {
	column, old string
	new         []byte
	rows        []byte
	out         []byte // rows as far as taken, with what was replaced
	taken       int
}

// message looks at that which lies from..to in rows. What its walk over the
// members could complain of, the Scanner complained of before.
func (s *substitution) message(from, to int, nested []extent) bool {
	_ = members(s.rows[from:to], nested, func(key, value []byte, at span) error {
		if nameIs(key, "value") && value[0] == '{' {
			s.row(value, from+at.value)
		}
		return nil
	})
	return true
}

// row looks at the columns of a row, an object that begins at base.
func (s *substitution) row(row []byte, base int) {
	_ = members(row, nil, func(key, value []byte, at span) error {
		if nameIs(key, s.column) && string(text(value)) == s.old {
			s.out = append(s.out, s.rows[s.taken:base+at.value]...)
			s.out = append(s.out, s.new...)
			s.taken = base + at.value + len(value)
		}
		return nil
	})
}
