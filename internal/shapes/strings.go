package shapes

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes in a word, of which one bit each says something: the highest.
const (
	ones  = 0x0101010101010101
	lows  = 0x7f7f7f7f7f7f7f7f
	first = 0x80 // of the byte that comes first
)

// equal marks the bytes of x that are c.
func equal(x uint64, c byte) uint64 {
	x ^= ones * uint64(c) // those sought are zero
	return ^((x&lows + lows) | x | lows)
}

// stringEnd gives the index behind the quote that ends the string that i is in.
// If b ends first it gives where to look on when there is more, which is at a
// backslash if that comes last: what it escapes is not there yet.
//
// Most of a body is read by it, and what people keep in strings is JSON again, in which
// every fifth byte or so is an escaped quote. So it looks at eight bytes at a time, and
// does not stop at a quote behind a backslash; only where backslashes stand side by side
// does it look at each byte. Quotes are too close together for bytes.IndexByte to pay.
func stringEnd(b []byte, i int) (int, bool) {
	escaped := uint64(0) // first: the byte at i is
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quotes, slashes := equal(x, '"'), equal(x, '\\')
		behind := slashes<<8 | escaped
		if slashes&behind != 0 {
			var end int
			if end, escaped = stringEndIn(b[i:i+8], escaped); end > 0 {
				return i + end, true
			}
			continue
		}
		if quotes &^= behind; quotes != 0 {
			return i + bits.TrailingZeros64(quotes)/8 + 1, true
		}
		escaped = slashes >> 56
	}
	end, escaped := stringEndIn(b[i:], escaped)
	switch {
	case end > 0:
		return i + end, true
	case escaped != 0:
		return len(b) - 1, false
	}
	return len(b), false
}

// stringEndIn is stringEnd a byte at a time: where in b the string ends, or 0, and
// whether what follows b is escaped.
func stringEndIn(b []byte, escaped uint64) (end int, next uint64) {
	for i, c := range b {
		switch {
		case escaped != 0:
			escaped = 0
		case c == '"':
			return i + 1, 0
		case c == '\\':
			escaped = first
		}
	}
	return 0, escaped
}
