package steady

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// Bytes have one digest however they are cut, and another if one of them is another, or
// two whole windows change places.
func TestDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cut digest
		size := len(cut.window)
		near := rapid.Custom(func(t *rapid.T) int { // so many bytes, often about whole windows
			return max(0, rapid.IntRange(0, 4).Draw(t, "windows")*size+rapid.OneOf(rapid.IntRange(-2, 2), rapid.IntRange(0, size)).Draw(t, "more"))
		})
		all := make([]byte, near.Draw(t, "bytes"))
		random := rand.NewChaCha8([32]byte{rapid.Byte().Draw(t, "seed")})
		_, _ = random.Read(all)
		for rest := all; ; {
			n := min(near.Draw(t, "cut"), len(rest))
			cut.add(rest[:n])
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
		of := func(p []byte) *digest {
			d := &digest{seed: cut.seed}
			d.add(p)
			return d
		}
		if !of(all).same(&cut) {
			t.Fatal("cut in other pieces, it is another")
		}
		other := bytes.Clone(all)
		switch {
		case len(other) == 0:
			return
		case len(other) >= 2*size && rapid.Bool().Draw(t, "windows"):
			copy(other, all[size:2*size])
			copy(other[size:], all[:size])
		default:
			other[rapid.IntRange(0, len(other)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		if same := bytes.Equal(other, all); of(other).same(&cut) != same {
			t.Fatalf("the digest of others is the same: %v, want %v", !same, same)
		}
	})
}
