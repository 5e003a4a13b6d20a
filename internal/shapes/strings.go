package shapes

import (
	"bytes"
	"math/bits"
)

// block is how many bytes are looked at together: one bit of a word for each.
const block = 64

// quoting follows strings through JSON a block at a time. Most of a body is read by it,
// and what people keep in strings is JSON again, in which every fifth byte or so is an
// escaped quote: so nothing here depends on how many there are, but where backslashes
// stand side by side.
type quoting struct {
	inside  uint64 // all bits: what comes next is in a string
	escaped uint64 // 1: what comes next is escaped
}

// outside gives the brackets and backslashes of a block that are in no string, lowest bit
// first. It may give other bytes as well, none of which has a place outside strings.
func (q *quoting) outside(b *[block]byte) uint64 {
	quotes, slashes, brackets := marks(b)
	inside := parity(quotes&^q.behind(slashes)) ^ q.inside
	q.inside = uint64(int64(inside) >> 63)
	return (brackets | slashes) &^ inside
}

// behind marks the bytes that a backslash escapes, of which slashes are all.
func (q *quoting) behind(slashes uint64) uint64 {
	escaped := slashes<<1 | q.escaped
	q.escaped = slashes >> 63
	if slashes&escaped == 0 {
		return escaped
	}
	escaped &^= slashes << 1 // some are escaped themselves: begin anew, from the first
	for left := slashes; left != 0; left &= left - 1 {
		at := left & -left
		q.escaped = 0
		if escaped&at == 0 {
			escaped |= at << 1
			q.escaped = at >> 63
		}
	}
	return escaped
}

// parity gives for each bit whether an odd number of bits is set up to it.
func parity(x uint64) uint64 {
	x ^= x << 1
	x ^= x << 2
	x ^= x << 4
	x ^= x << 8
	x ^= x << 16
	return x ^ x<<32
}

// skipString gives the index behind the string that begins at i, or len(b).
func skipString(b []byte, i int) int {
	for end := i + 1; ; {
		n := bytes.IndexByte(b[end:], '"')
		if n < 0 {
			return len(b)
		}
		end += n + 1
		slashes := end - 1
		for slashes > i && b[slashes-1] == '\\' {
			slashes--
		}
		if (end-1-slashes)%2 == 0 {
			return end
		}
	}
}

// first is the place of the lowest bit.
func first(x uint64) int { return bits.TrailingZeros64(x) }
