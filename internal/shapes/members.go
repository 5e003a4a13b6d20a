package shapes

import (
	"encoding/binary"
	"math/bits"
)

// span says where a member stands in its object: from..to is what to take out
// to remove it, one comma included; value is where its value begins.
type span struct{ from, to, value int }

// members calls visit for every member of the object that b, already framed,
// is. Nested values are stepped over, not looked into; nested are those, in
// order, whose ends are known already.
func members(b []byte, nested []extent, visit func(key, value []byte, at span) error) error {
	i := skipSpace(b, 1)
	if i < len(b) && b[i] == '}' {
		return nil
	}
	from := i // where the member begins, or the comma before it
	for {
		key := i
		if key >= len(b) || b[key] != '"' {
			return malformed("a member of an object has no name")
		}
		keyEnd := skipString(b, key)
		i = skipSpace(b, keyEnd)
		if i >= len(b) || b[i] != ':' {
			return malformed("no colon after the name of a member")
		}
		value := skipSpace(b, i+1)
		var end int
		if len(nested) > 0 && nested[0].from == value {
			end, nested = nested[0].to, nested[1:]
		} else {
			end = skipValue(b, value)
		}
		if end == value {
			return malformed("a member of an object has no value")
		}
		i = skipSpace(b, end)
		if i >= len(b) {
			return malformed("an object ends too early")
		}
		at := span{from: from, to: end, value: value}
		if b[from] != ',' && b[i] == ',' {
			at.to = i + 1 // the first member takes the comma behind it
		}
		if err := visit(b[key:keyEnd], b[value:end], at); err != nil {
			return err
		}
		switch b[i] {
		case '}':
			return nil
		case ',':
			from = i
			i = skipSpace(b, i+1)
		default:
			return malformed("%q between the members of an object", b[i])
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString gives the index behind the string that begins at i, or len(b).
func skipString(b []byte, i int) int {
	end, ended := stringEnd(b, i+1)
	if !ended {
		return len(b)
	}
	return end
}

// stringEnd gives the index behind the quote that ends the string that i is in.
// If b ends first it gives where to look on when there is more, which is at a
// backslash if that comes last: what it escapes is not there yet.
func stringEnd(b []byte, i int) (int, bool) {
	for i = special(b, i); i < len(b); i = special(b, i) {
		if b[i] == '"' {
			return i + 1, true
		}
		if i+1 == len(b) {
			return i, false
		}
		i += 2
	}
	return len(b), false
}

// special gives the index of the first quote or backslash from i on, or
// len(b). It looks at eight bytes at a time: most of a body is read by it, and
// quotes are too close together for bytes.IndexByte to pay.
func special(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\') // a byte sought is zero
		// The lowest high bit that is set is that of the first zero byte.
		if zeros := ((quote-ones)&^quote | (slash-ones)&^slash) & highs; zeros != 0 {
			return i + bits.TrailingZeros64(zeros)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// skipValue gives the index behind the value that begins at i, or i if none
// does. Numbers and literals are taken by their characters only.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		f := framer{}
		end, done, err := f.feed(b, i)
		if err != nil || !done {
			return i
		}
		return end
	}
	for i < len(b) {
		switch c := b[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
			i++
		default:
			return i
		}
	}
	return i
}
