package embedded

import (
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// parseTextArray reads the text form of a text[] of any dimensions, flattened:
// array_out writes nothing that it does not read, and ok is false for the rest.
func parseTextArray(s string) (elements []replication.Value, ok bool) {
	if strings.HasPrefix(s, "[") { // "[0:1]={...}": bounds other than 1
		_, s, ok = strings.Cut(s, "={")
		if !ok {
			return nil, false
		}
		s = "{" + s
	}
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false
	}
	for i := 0; i < len(s); {
		switch s[i] {
		case '{', '}', ',':
			i++
		case '"':
			var b strings.Builder
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
				if i < len(s) {
					b.WriteByte(s[i])
				}
			}
			if i >= len(s) {
				return nil, false
			}
			i++
			elements = append(elements, replication.Value{Text: b.String()})
		default:
			n := strings.IndexAny(s[i:], ",}")
			if n < 0 {
				return nil, false
			}
			word := s[i : i+n]
			i += n
			elements = append(elements, plainElement(word))
		}
	}
	return elements, true
}

// plainElement is an unquoted element; array_out quotes the word NULL when it
// is not meant as one, in every spelling of its letters.
func plainElement(word string) replication.Value {
	if word == "NULL" {
		return replication.Value{Null: true}
	}
	return replication.Value{Text: word}
}
