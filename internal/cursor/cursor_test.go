package cursor

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

var (
	oldKey = bytes.Repeat([]byte("o"), MinKey)
	newKey = bytes.Repeat([]byte("n"), MinKey)
	feed   = Fingerprint{1}
)

func codec(t interface{ Fatal(...any) }, keys ...[]byte) *Codec {
	c, err := NewCodec(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// edge draws a number, the ends of its range more often than chance would.
func edge(most uint64) *rapid.Generator[uint64] {
	return rapid.OneOf(rapid.SampledFrom([]uint64{1, most}), rapid.Uint64Range(1, most))
}

func drawSide(t *rapid.T, label string) shapes.Progress {
	p := shapes.Progress{Opened: true, UpToDate: rapid.Bool().Draw(t, label+" up to date")}
	switch rapid.IntRange(0, 5).Draw(t, label+" kind") {
	case 0:
		return shapes.Progress{}
	case 1:
		return p
	case 2:
		p.Offset = shapes.SnapshotChunk(uint32(edge(math.MaxUint32).Draw(t, label+" chunk")))
	case 3:
		p.Offset = shapes.SnapshotEnd
	case 4:
		p.Offset = shapes.LogOffset(edge(math.MaxUint64).Draw(t, label+" tx"), uint32(edge(math.MaxUint32).Draw(t, label+" op")))
	case 5:
		p.Offset = shapes.Offset{Kind: shapes.AtEnd, Tx: edge(math.MaxUint64).Draw(t, label+" tx")}
	}
	p.Handle = rapid.OneOf(
		rapid.StringMatching(`[1-9][0-9]{1,8}-17[0-9]{14}`),
		rapid.StringMatching(`[!-~]{1,256}`),
		rapid.StringMatching(`0?[0-9]{1,22}-0?[0-9]{1,22}`),
	).Draw(t, label+" handle")
	return p
}

func drawCursor(t *rapid.T) Cursor {
	c := Cursor{
		Nonce: rapid.Uint64().Draw(t, "nonce"),
		Xmin:  rapid.Uint64().Draw(t, "xmin"),
		Sides: [Sides]shapes.Progress{drawSide(t, "legacy"), drawSide(t, "v2")},
	}
	if !c.Sides[0].Opened && !c.Sides[1].Opened {
		c.Sides[0].Opened = true
	}
	if floor := rapid.Int64Range(0, math.MaxInt32).Draw(t, "floor"); floor > 0 {
		c.Floor = time.Unix(floor, 0).UTC()
	}
	return c
}

// Every state that fits comes back as it was; the offset is in Electric's
// grammar, and both strings can stand in a URL and a header as they are.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, want := codec(t, newKey), drawCursor(t)
		handle, offset, err := c.Encode(feed, want)
		if err != nil {
			t.Fatal(err)
		}
		digits := strings.TrimSuffix(offset, "_0")
		if strings.Trim(digits, "0123456789") != "" || len(digits) > 61 || digits == offset {
			t.Fatalf("offset %q is not <digits>_0", offset)
		}
		if i := strings.IndexFunc(handle, func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
		}); i >= 0 {
			t.Fatalf("handle %q is not safe in a URL", handle)
		}
		got, err := c.Decode(feed, handle, offset)
		if err != nil || got != want {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
		}
		if n, err := Number(want.Sides); err != nil || n != digits {
			t.Fatalf("Number is %s, %v; the offset's is %s", n, err, digits)
		}
	})
}

func TestSize(t *testing.T) {
	side := shapes.Progress{Opened: true, UpToDate: true, Position: shapes.Position{Handle: "134217727-1795384594361438", Offset: shapes.LogOffset(math.MaxUint64, math.MaxUint32)}}
	handle, offset, err := codec(t, newKey).Encode(feed, Cursor{
		Nonce: 1<<48 - 1, Floor: time.Unix(1795384594, 0), Xmin: math.MaxUint32, Sides: [Sides]shapes.Progress{side, side},
	})
	if err != nil || len(handle) > 140 || len(offset) > 63 {
		t.Errorf("handle of %d, offset of %d characters, %v", len(handle), len(offset), err)
	}
}

// The handle is bound to its feed, and no bit of it can be changed.
func TestHandleIsAuthentic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, want := codec(t, newKey), drawCursor(t)
		handle, offset, _ := c.Encode(feed, want)
		if _, err := c.Decode(Fingerprint{2}, handle, offset); !errors.Is(err, ErrInvalid) {
			t.Fatalf("another feed's handle: %v", err)
		}
		if _, err := codec(t, oldKey).Decode(feed, handle, offset); !errors.Is(err, ErrInvalid) {
			t.Fatalf("another key's handle: %v", err)
		}
		b := []byte(handle)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := c.Decode(feed, string(b), offset); !errors.Is(err, ErrInvalid) {
			t.Fatalf("%q instead of %q: %v", b, handle, err)
		}
		if _, err := c.Decode(feed, handle[:rapid.IntRange(0, len(handle)-1).Draw(t, "length")], offset); !errors.Is(err, ErrInvalid) {
			t.Fatalf("a truncated handle: %v", err)
		}
	})
}

func TestKeysCanBeReplaced(t *testing.T) {
	want := Cursor{Sides: [Sides]shapes.Progress{{Opened: true}}}
	handle, offset, _ := codec(t, oldKey).Encode(feed, want)
	both := codec(t, newKey, oldKey)
	if got, err := both.Decode(feed, handle, offset); err != nil || got != want {
		t.Errorf("the previous key's handle: %+v, %v", got, err)
	}
	handle, _, _ = both.Encode(feed, want)
	if _, err := codec(t, newKey).DecodeHandle(feed, handle); err != nil {
		t.Errorf("not written with the first key: %v", err)
	}
	for _, keys := range [][][]byte{nil, {newKey, nil}, {newKey[1:]}} {
		if _, err := NewCodec(keys...); err == nil {
			t.Errorf("keys %q were taken", keys)
		}
	}
}

func TestOffsetsThatAreNone(t *testing.T) {
	c := codec(t, newKey)
	side := shapes.Progress{Opened: true, Position: shapes.Position{Handle: "1-2", Offset: shapes.SnapshotEnd}}
	handle, good, _ := c.Encode(feed, Cursor{Sides: [Sides]shapes.Progress{side}})
	if _, err := c.Decode(feed, handle, good); err != nil {
		t.Fatal(err)
	}
	number := strings.TrimSuffix(good, "_0")
	for _, offset := range []string{
		"", "-1", "now", "0_0", "_0", number, number + "_1", number + "_inf", "0" + good, "+" + good, " " + good, good + " ",
		"6_0", "8_0", "7_0", strings.Repeat("9", 61) + "_0", strings.Repeat("9", 1<<20) + "_0", "１_0",
		// a shape that the handle does not name
		strconv.Itoa(kindUnopened|kindSnapshotEnd<<stateBits) + "_0",
		// bits beyond the state
		strconv.Itoa(kindSnapshotEnd|1<<40) + "_0",
		// a change of transaction 0 is a chunk: two spellings of one place
		strconv.Itoa(kindChange) + "_0",
		strconv.Itoa(kindUnopened|upToDate) + "_0",
	} {
		if got, err := c.Decode(feed, handle, offset); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.80q was read as %+v, %v", offset, got.Sides, err)
		}
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	c := codec(t, newKey)
	for name, cur := range map[string]Cursor{
		"now":         {Sides: [Sides]shapes.Progress{{Opened: true, Position: shapes.Position{Offset: shapes.Offset{Kind: shapes.Now}}}}},
		"long handle": {Sides: [Sides]shapes.Progress{{Opened: true, Position: shapes.Position{Handle: strings.Repeat("x", 257)}}}},
		"old floor":   {Floor: time.Unix(-1, 0), Sides: [Sides]shapes.Progress{{Opened: true}}},
	} {
		if handle, _, err := c.Encode(feed, cur); err == nil {
			t.Errorf("%s: written as %s", name, handle)
		}
	}
}

func TestNoncesAreNeverThoseOfAFreshClient(t *testing.T) {
	seen := map[uint64]bool{0: true}
	for range 1000 {
		n := RandomNonce()
		if seen[n] {
			t.Fatalf("nonce %d twice, or zero", n)
		}
		seen[n] = true
	}
}

// Clients must see another cursor with every live answer, and those who poll
// at the same time the same one.
func TestLive(t *testing.T) {
	now := epoch.Add(12345*time.Second + time.Millisecond)
	for previous, at := range map[string]time.Time{
		"": now, "12340": now.Add(10 * time.Second), "x": now, "-5": now, strings.Repeat("9", 100): now,
	} {
		if got, shared := Live(at, previous); got != 12360 || !shared {
			t.Errorf("after %q: %d, %v", previous, got, shared)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		previous := rapid.Uint64Range(0, 1<<62-1).Draw(t, "previous")
		got, shared := Live(now, strconv.FormatUint(previous, 10))
		if got <= previous || got > math.MaxInt64 || shared != (previous < 12360) {
			t.Fatalf("%d follows %d, %v", got, previous, shared)
		}
	})
	if got, shared := Live(epoch.Add(-time.Hour), ""); got != 0 || !shared {
		t.Errorf("before the epoch: %d", got)
	}
}
