package platform

import "bytes"

// elements counts the elements of a JSON array, so that one that is too long is
// refused before it is read: a list of a few bytes each takes many times its size in
// memory. The array is known to be valid JSON.
func elements(array []byte) (n int) {
	depth, some := 0, false
	for i := 0; i < len(array); i++ {
		switch array[i] {
		case '[', '{':
			some = some || depth == 1
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 1 {
				n++
			}
		case '"':
			some = true
			i = endOfText(array, i)
		case ' ', '\t', '\r', '\n':
		default:
			some = true
		}
	}
	if some {
		n++ // one more than there are commas
	}
	return n
}

// holdsNUL says whether a text of a JSON value has a NUL character, which jsonb cannot
// keep. JSON has it only as an escape, and an escaped backslash before u0000 makes
// none of it.
func holdsNUL(value []byte) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(value[i:], []byte(`\u0000`)) {
			return true
		}
		i++ // the character that is escaped
	}
	return false
}

// endOfText is where the JSON text that begins at an index ends.
func endOfText(text []byte, at int) int {
	for at++; at < len(text) && text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at
}
