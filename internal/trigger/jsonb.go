package trigger

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep lists and objects of JSON may lie within each other.
const MaxDepth = 1000

// What Postgres' numeric can keep, of which jsonb makes its numbers.
const (
	digitsBefore = 131072 // the decimal point
	digitsAfter  = 16383
)

// checkJSON refuses what a column of type jsonb cannot keep, which is less than
// what is JSON.
func checkJSON(field string, value json.RawMessage) error {
	reason := ""
	switch {
	case value == nil:
	case !utf8.Valid(value) || !json.Valid(value):
		reason = "is not JSON"
	case tooDeep(value):
		reason = depthReason
	default:
		reason = unkept(value)
	}
	if reason != "" {
		return &InvalidError{Field: field, Reason: reason}
	}
	return nil
}

const depthReason = "has lists and objects more than 1000 deep within each other"

// tooDeep says that JSON lies deeper than MaxDepth.
func tooDeep(value []byte) bool {
	depth := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i += len(stringAt(value[i:])) - 1
		case '[', '{':
			if depth++; depth > MaxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// unkept is why jsonb cannot keep a text that is JSON, or "" where it can.
func unkept(value []byte) string {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			s := stringAt(value[i:])
			if reason := unkeptString(s); reason != "" {
				return reason
			}
			i += len(s) - 1
		case c == '-' || '0' <= c && c <= '9':
			n := numberAt(value[i:])
			if !numeric(n) {
				return "has a number that is too large or too fine"
			}
			i += len(n) - 1
		}
	}
	return ""
}

// stringAt is the string, with its quotes, that valid JSON begins with.
func stringAt(b []byte) []byte {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[:i+1]
		}
	}
	return b
}

// unkeptString looks for escapes that stand for no character of Postgres.
func unkeptString(s []byte) string {
	high := false // the first half of a pair was just before
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || s[i+1] != 'u' {
			if high {
				return halfReason
			}
			if s[i] == '\\' {
				i++
			}
			continue
		}
		code, _ := strconv.ParseUint(string(s[i+2:i+6]), 16, 16) // json.Valid has seen four digits
		i += 5
		low := 0xdc00 <= code && code <= 0xdfff
		switch {
		case code == 0:
			return `has \u0000, which cannot be kept`
		case high != low:
			return halfReason
		}
		high = 0xd800 <= code && code <= 0xdbff
	}
	return ""
}

const halfReason = `has half a surrogate pair, such as \ud800 alone`

// numberAt is the number that valid JSON begins with.
func numberAt(b []byte) string {
	end := 0
	for end < len(b) && strings.IndexByte("+-.eE0123456789", b[end]) >= 0 {
		end++
	}
	return string(b[:end])
}

// numeric says that Postgres can keep a number.
func numeric(n string) bool {
	digits, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(n, "-")), "e")
	before, after, _ := strings.Cut(digits, ".")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > 1<<20 || exponent < -1<<20 {
			return false
		}
	}
	return len(before)+exponent <= digitsBefore && len(after)-exponent <= digitsAfter
}
