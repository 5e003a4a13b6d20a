package cursor

import (
	"math/bits"
	"strconv"
)

// number is what both places are packed into: 256 bits, the lowest first, of which 200 are
// used. math/big can do all of this, with a dozen pieces of memory for each place that is
// told or read.
type number [4]uint64

// put sets bits that are 0, from at on, to those of value.
func (n *number) put(value uint64, at uint) {
	limb, shift := at/64, at%64
	n[limb] |= value << shift
	if high := value >> (64 - shift); high != 0 { // of a shift by 64, Go has 0
		n[limb+1] |= high
	}
}

// take gives the lowest width bits, and moves the others down.
func (n *number) take(width uint) uint64 {
	low := n[0]
	if width < 64 {
		low &= 1<<width - 1
	}
	for i := range n {
		n[i] >>= width
		if i+1 < len(n) {
			n[i] |= n[i+1] << (64 - width)
		}
	}
	return low
}

// The decimal digits that a limb takes.
const (
	limbDigits = 19
	limbTen    = 1e19
)

// decimal appends the number's digits, without leading zeros.
func (n number) decimal(b []byte) []byte {
	var parts [5]uint64 // of 19 digits, the lowest first
	last := 0
	for i := range parts {
		var rest uint64
		for limb := len(n) - 1; limb >= 0; limb-- {
			n[limb], rest = bits.Div64(rest, n[limb], limbTen)
		}
		if parts[i] = rest; rest != 0 {
			last = i
		}
	}
	b = strconv.AppendUint(b, parts[last], 10)
	for i := last - 1; i >= 0; i-- {
		var digits [limbDigits]byte
		for d, rest := limbDigits-1, parts[i]; d >= 0; d-- {
			digits[d], rest = byte('0'+rest%10), rest/10
		}
		b = append(b, digits[:]...)
	}
	return b
}

// parseDecimal is decimal's inverse, for maxDigits digits and nothing else.
func parseDecimal(digits string) (n number) {
	for _, d := range []byte(digits) {
		carry := uint64(d - '0')
		for i := range n {
			high, low := bits.Mul64(n[i], 10)
			var over uint64
			n[i], over = bits.Add64(low, carry, 0)
			carry = high + over
		}
	}
	return n
}
