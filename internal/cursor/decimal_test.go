package cursor

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// What is put into a number is taken from it, and its digits are those that math/big has.
func TestNumberIsANumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n number
		var want big.Int
		values, widths := []uint64(nil), []uint(nil)
		for at, width := uint(0), uint(0); at < 200; at += width {
			width = min(rapid.SampledFrom([]uint{1, stateBits, 32, 63, 64}).Draw(t, "width"), 200-at)
			value := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}), rapid.Uint64()).Draw(t, "value") >> (64 - width)
			n.put(value, at)
			var v big.Int
			want.Or(&want, v.Lsh(v.SetUint64(value), at))
			values, widths = append(values, value), append(widths, width)
		}
		digits := string(n.decimal([]byte("x")))
		if digits != "x"+want.String() {
			t.Fatalf("%x has the digits %s, want %s", n, digits, want.String())
		}
		if got := parseDecimal(digits[1:]); got != n {
			t.Fatalf("%s is %x, want %x", digits[1:], got, n)
		}
		for i, width := range widths {
			if got := n.take(width); got != values[i] {
				t.Fatalf("took %x, put %x: %d bits", got, values[i], width)
			}
		}
		if n != (number{}) {
			t.Fatalf("%x is left", n)
		}
	})
}

// The largest number of so many digits is not cut: what is no number of ours is found out
// because it is read whole.
func TestNumbersOfAllDigitsFit(t *testing.T) {
	for digits := "9"; len(digits) <= maxDigits; digits += "9" {
		if got := string(parseDecimal(digits).decimal(nil)); got != digits {
			t.Errorf("%s is read as %s", digits, got)
		}
	}
}

// Two places have one handle when SameHandle says so, and only then: what is remembered of
// one is told to a client of the other.
func TestSameHandle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, a := codec(t, newKey), drawCursor(t)
		b := a
		other := drawCursor(t)
		if rapid.Bool().Draw(t, "another nonce") {
			b.Nonce = other.Nonce
		}
		if rapid.Bool().Draw(t, "another floor") {
			b.Floor = other.Floor
		}
		if rapid.Bool().Draw(t, "another xmin") {
			b.Xmin = other.Xmin
		}
		for i := range b.Sides {
			switch rapid.IntRange(0, 2).Draw(t, "side") {
			case 0:
				b.Sides[i] = other.Sides[i]
			case 1:
				b.Sides[i].UpToDate, b.Sides[i].Offset = other.Sides[i].UpToDate, other.Sides[i].Offset
			}
		}
		first, _, err1 := c.Encode(feed, a)
		second, offset, err2 := c.Encode(feed, b)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if SameHandle(&a, &b) != (first == second) {
			t.Fatalf("%+v\n%+v: %s and %s", a, b, first, second)
		}
		if alone, err := Offset(b.Sides); alone != offset || err != nil {
			t.Fatalf("the offset alone is %s, %v: it was %s", alone, err, offset)
		}
	})
}
