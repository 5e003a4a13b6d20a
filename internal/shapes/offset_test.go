package shapes

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawOffset(t *rapid.T, label string) Offset {
	switch rapid.SampledFrom([]OffsetKind{BeforeAll, At, AtEnd, Now}).Draw(t, label+" kind") {
	case At:
		return LogOffset(rapid.Uint64().Draw(t, label+" tx"), rapid.Uint32().Draw(t, label+" op"))
	case AtEnd:
		return Offset{Kind: AtEnd, Tx: rapid.Uint64().Draw(t, label+" tx")}
	case Now:
		return Offset{Kind: Now}
	}
	return Offset{}
}

func TestOffsetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawOffset(t, "o")
		got, err := ParseOffset(want.String())
		if err != nil || got != want {
			t.Fatalf("%q: got %+v, %v; want %+v", want.String(), got, err, want)
		}
	})
}

// The spellings are those of Electric's own grammar, docs: log_offset.ex.
func TestParseOffsetGrammar(t *testing.T) {
	good := map[string]Offset{
		"-1": {}, "-1_0": {}, "now": {Kind: Now},
		"0_0": SnapshotChunk(0), "0_02": SnapshotChunk(2), "+7_+3": LogOffset(7, 3),
		"0_inf": SnapshotEnd, "46070600_0": LogOffset(46070600, 0),
		"18446744073709551615_4294967295": LogOffset(1<<64-1, 1<<32-1),
	}
	for s, want := range good {
		if got, err := ParseOffset(s); err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "1", "10", "1_2_3", "1_2 ", " 1_2", "-2_0", "-1_1", "1_-1", "_", "1_", "_1", "inf_0", "1_INF", "NOW", "-1_inf",
		"++1_0", "18446744073709551616_0", "0_4294967296", "0x1_0", "1e3_0", "１_0", "1_0\x00", strings.Repeat("9", 1<<16) + "_0",
	} {
		if got, err := ParseOffset(s); err == nil {
			t.Errorf("%.40q was read as %+v", s, got)
		} else if len(err.Error()) > 200 {
			t.Errorf("%.40q: the error is %d bytes long", s, len(err.Error()))
		}
	}
}

func TestOffsetOrder(t *testing.T) {
	ascending := []string{"-1", "0_0", "0_1", "0_inf", "5_0", "5_7", "5_inf", "6_0", "now"}
	for i, a := range ascending {
		for j, b := range ascending {
			x, _ := ParseOffset(a)
			y, _ := ParseOffset(b)
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := x.Compare(y); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestInSnapshot(t *testing.T) {
	for s, want := range map[string]bool{"-1": true, "0_0": true, "0_9": true, "0_inf": false, "5_0": false, "now": false} {
		o, _ := ParseOffset(s)
		if o.InSnapshot() != want {
			t.Errorf("%s: InSnapshot is %v", s, !want)
		}
	}
}
