package runid

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/segmentio/ksuid"
	"pgregory.net/rapid"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// fits is Home's rule told in another way: the number that the digits say.
func fits(s string) bool {
	n := new(big.Int)
	for _, c := range []byte(s) {
		d := strings.IndexByte(base62, c)
		if d < 0 {
			return false
		}
		n.Add(n.Mul(n, big.NewInt(62)), big.NewInt(int64(d)))
	}
	return len(s) == 27 && n.BitLen() <= 160
}

func TestHome(t *testing.T) {
	for id, want := range map[string]Table{
		"2x3QYqyfhGGSxoJBv8DCrdTTpeb":    V2,
		"000000000000000000000000000":    V2,
		"aWgEPTl1tmebfsQzFP4bxwgy80V":    V2,     // 2^160-1
		"aWgEPTl1tmebfsQzFP4bxwgy80W":    Legacy, // 2^160
		"zzzzzzzzzzzzzzzzzzzzzzzzzzz":    Legacy,
		"2x3QYqyfhGGSxoJBv8DCrdTTpe":     Legacy, // 26
		"2x3QYqyfhGGSxoJBv8DCrdTTpebb":   Legacy, // 28
		"2x3QYqyfhGGSx-JBv8DCrdTTpeb":    Legacy,
		"2x3QYqyfhGGSx_JBv8DCrdTTpeb":    Legacy,
		"2x3QYqyfhGGSx\x00JBv8DCrdTTpeb": Legacy,
		"cmfq2lo3svto89wr23ltxdtig":      Legacy,
		"":                               Legacy,
		"run_2x3QYqyfhGGSxoJBv8DCrdT":    Legacy,
	} {
		if got := Home(id); got != want {
			t.Errorf("%q: at home in %v, want %v", id, got, want)
		}
	}
}

// Of the digits of base62, ours and the library's reading agree on every text.
func TestHomeAgreesWithTheLibrary(t *testing.T) {
	near := rapid.Custom(func(t *rapid.T) string { // near the overflow, on both sides
		keep := rapid.IntRange(0, 27).Draw(t, "keep")
		return maxKSUID[:keep] + rapid.StringOfN(rapid.RuneFrom([]rune(base62)), 27-keep, 27-keep, -1).Draw(t, "rest")
	})
	any := rapid.StringOfN(rapid.RuneFrom([]rune(base62)), 25, 29, -1)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(near, any).Draw(t, "id")
		_, err := ksuid.Parse(s)
		if got := Home(s) == V2; got != (err == nil) || got != fits(s) {
			t.Fatalf("%q: v2 is %v; ksuid.Parse says %v; it fits: %v", s, got, err, fits(s))
		}
	})
}

func TestHomeOfAnyKSUID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "raw")
		id, err := ksuid.FromBytes(raw)
		if err != nil || Home(id.String()) != V2 {
			t.Fatalf("%x is %s, at home in %v (%v)", raw, id, Home(id.String()), err)
		}
	})
}

// The comparison that stands for the overflow check holds only if the library
// writes numbers in the order of their text.
func TestKSUIDTextKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "b")
		x, _ := ksuid.FromBytes(a)
		y, _ := ksuid.FromBytes(b)
		if bytes.Compare(a, b) != strings.Compare(x.String(), y.String()) {
			t.Fatalf("%x and %x are ordered otherwise than %s and %s", a, b, x, y)
		}
	})
}

func TestTableNames(t *testing.T) {
	for table, want := range map[Table][3]string{
		Legacy: {"TaskRun", `"TaskRun"`, "legacy"},
		V2:     {"task_run_v2", `"task_run_v2"`, "v2"},
	} {
		if got := [3]string{table.Name(), table.SQL(), table.String()}; got != want {
			t.Errorf("%d: %q, want %q", table, got, want)
		}
	}
	if Tables() != [2]Table{Legacy, V2} {
		t.Errorf("Tables is %v", Tables())
	}
}
