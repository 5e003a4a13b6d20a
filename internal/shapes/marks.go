package shapes

import (
	"bytes"
	"encoding/binary"
)

// portableMarks says which bytes of a block are quotes, which are backslashes, and which
// are brackets or one of Y, _, y and 0x7f, which have no place outside strings.
func portableMarks(b *[block]byte) (quotes, slashes, brackets uint64) {
	var x [block / 8]uint64
	for i := range x {
		x[i] = binary.LittleEndian.Uint64(b[8*i : 8*i+8])
	}
	quotes, slashes = mark(&x, '"'), mark(&x, '\\')
	for i := range x {
		x[i] |= ones * alike
	}
	return quotes, slashes, mark(&x, alike|'[')
}

// alike are the bits in which the four brackets differ.
const alike = '[' ^ '}'

// Eight bytes in a word, of which one bit each says something: the highest.
const (
	ones  = 0x0101010101010101
	lows  = 0x7f7f7f7f7f7f7f7f
	highs = 0x8080808080808080
)

// equal marks the bytes of x that are c, in as many words.
func equal(x, c uint64) uint64 {
	x ^= c // those sought are zero
	return highs &^ ((x&lows + lows) | x)
}

// mark gives the bytes of a block that are c.
func mark(x *[block / 8]uint64, c byte) uint64 {
	cs := ones * uint64(c)
	return transposed(equal(x[0], cs)>>7 | equal(x[1], cs)>>6 | equal(x[2], cs)>>5 | equal(x[3], cs)>>4 |
		equal(x[4], cs)>>3 | equal(x[5], cs)>>2 | equal(x[6], cs)>>1 | equal(x[7], cs))
}

// transposed has bit i of byte j of x as bit j of byte i.
func transposed(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}

// escapesLetters says whether a character may stand as \uXXXX somewhere: whether a u
// stands behind a backslash.
func escapesLetters(rows []byte) bool {
	if whole := (len(rows) - 1) / block * block; whole > 0 {
		if escapesIn(rows[:whole+1]) {
			return true
		}
		rows = rows[whole:]
	}
	return portableEscapes(rows)
}

func portableEscapes(rows []byte) bool { return bytes.Contains(rows, []byte(`\u`)) }
