package shapes

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Strings are followed a block at a time as a byte at a time, at every distance, whatever
// other bytes stand around, and however many backslashes.
func TestQuoting(t *testing.T) {
	one := rapid.SampledFrom([]byte{'"', '"', '\\', '\\', '\\', 'a', 0, '"' - 1, '"' + 1, '\\' - 1, '\\' + 1, '"' | 0x80, '\\' | 0x80, 0x7f, 0x80, 0xff, '[', '}', '[' | 0x80})
	rapid.Check(t, func(t *rapid.T) {
		fill := rapid.SampledFrom([]byte{'a', 0, 0x80, 0xff, '\\', '"'}).Draw(t, "fill")
		b := bytes.Repeat([]byte{fill}, 4*block)
		copy(b[rapid.IntRange(0, len(b)-1).Draw(t, "at"):], rapid.SliceOf(one).Draw(t, "b"))
		var q quoting
		inside, escaped := false, false
		for i := 0; i < len(b); i += block {
			var want uint64
			for at, c := range b[i : i+block] {
				here := inside
				switch {
				case escaped:
					escaped = false
				case c == '"':
					inside = !inside
					here = inside // as it is reckoned; no bracket
				default:
					escaped = c == '\\'
				}
				if !here && strings.IndexByte(`{[]}\\`, c) >= 0 {
					want |= 1 << at
				}
			}
			got := q.outside((*[block]byte)(b[i:]))
			for at, c := range b[i : i+block] {
				if c == 0x7f { // has no place outside strings, and may be given
					got, want = got&^(1<<at), want&^(1<<at)
				}
			}
			if got != want {
				t.Fatalf("block %d of %q: got %064b, want %064b", i/block, b, got, want)
			}
		}
	})
}

// Every byte is marked for what it is at every place, in the machine's way and in Go.
func TestMarks(t *testing.T) {
	for c := range 256 {
		for at := range block {
			var b [block]byte
			b[at] = byte(c)
			var want [3]uint64
			switch byte(c) {
			case '"':
				want[0] = 1 << at
			case '\\':
				want[1] = 1 << at
			case '{', '[', ']', '}', 'Y', '_', 'y', 0x7f:
				want[2] = 1 << at
			}
			for name, of := range map[string]func(*[block]byte) (_, _, _ uint64){"marks": marks, "portableMarks": portableMarks} {
				if quotes, slashes, brackets := of(&b); [3]uint64{quotes, slashes, brackets} != want {
					t.Fatalf("%s: %q at %d: got %x, %x, %x, want %x", name, byte(c), at, quotes, slashes, brackets, want)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := [block]byte(rapid.SliceOfN(rapid.Byte(), block, block).Draw(t, "b"))
		q, s, r := marks(&b)
		if pq, ps, pr := portableMarks(&b); q != pq || s != ps || r != pr {
			t.Fatalf("%q: got %x, %x, %x, and in Go %x, %x, %x", b, q, s, r, pq, ps, pr)
		}
	})
}

// A u behind a backslash is found wherever it stands, and nothing else is.
func TestEscapesLetters(t *testing.T) {
	for size := range 5 * block / 2 {
		rows := bytes.Repeat([]byte(`u\x`), size)[:size] // not in this order
		if escapesLetters(rows) {
			t.Fatalf("%d bytes: %s", size, rows)
		}
		for at := range max(size-1, 0) {
			with := bytes.Clone(rows)
			copy(with[at:], `\u`)
			if !escapesLetters(with) || !portableEscapes(with) {
				t.Fatalf("%d bytes, at %d: %s", size, at, with)
			}
		}
	}
}

// The end of a string is found, however many backslashes stand before its quotes.
func TestSkipString(t *testing.T) {
	one := rapid.SampledFrom([]byte{'"', '\\', '\\', 'a'})
	rapid.Check(t, func(t *rapid.T) {
		b := append([]byte(`x"`), rapid.SliceOf(one).Draw(t, "b")...)
		want := 2
		for ended := false; want < len(b) && !ended; want++ {
			if b[want] == '\\' && want+1 < len(b) {
				want++
			} else {
				ended = b[want] == '"'
			}
		}
		if got := skipString(b, 1); got != want {
			t.Fatalf("in %q: got %d, want %d", b, got, want)
		}
	})
}
