package cursor

import (
	"errors"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// FuzzDecode: whatever is sent, either it is refused or it is the one text of
// what was read.
func FuzzDecode(f *testing.F) {
	c := codec(f, newKey)
	for _, offset := range []shapes.Offset{{}, shapes.SnapshotChunk(3), shapes.SnapshotEnd, shapes.LogOffset(77, 4)} {
		side := shapes.Progress{Opened: true, UpToDate: true, Position: shapes.Position{Handle: "47966628-1795384594361438", Offset: offset}}
		handle, text, _ := c.Encode(feed, Cursor{Sides: [Sides]shapes.Progress{side, side}})
		f.Add(handle, text)
	}
	f.Fuzz(func(t *testing.T, handle, offset string) {
		cur, err := c.Decode(feed, handle, offset)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		_, again, err := c.Encode(feed, cur)
		if err != nil || again != offset {
			t.Fatalf("%q was read as %+v, which is written %q, %v", offset, cur.Sides, again, err)
		}
	})
}

// FuzzEdited: a client that holds a cursor changes it. No change of the handle
// is taken, in this feed or another; a change of the offset moves the client
// inside the shapes that its handle names, and nowhere else.
func FuzzEdited(f *testing.F) {
	c := codec(f, newKey, oldKey)
	f.Add(uint64(0), int64(1795384594), uint64(740), "47966628-1795384594361438", "50057465-1795385561994686", uint64(46050856), uint32(3), uint(17), "0_0")
	f.Add(uint64(1<<48-1), int64(0), uint64(0), "", "0-0", uint64(0), uint32(0), uint(1000), "10_0")
	f.Fuzz(func(t *testing.T, nonce uint64, floor int64, xmin uint64, legacy, v2 string, tx uint64, op uint32, bit uint, edited string) {
		want := Cursor{Nonce: nonce, Xmin: xmin}
		if floor > 0 && floor < 1<<34 {
			want.Floor = time.Unix(floor, 0).UTC()
		}
		for i, handle := range []string{legacy, v2} {
			if handle == "" {
				continue
			}
			want.Sides[i] = shapes.Progress{Opened: true, Position: shapes.Position{Handle: handle, Offset: shapes.LogOffset(tx, op)}}
		}
		handle, offset, err := c.Encode(feed, want)
		if err != nil {
			if len(legacy) <= maxUpstreamHandle && len(v2) <= maxUpstreamHandle {
				t.Fatalf("%+v cannot be written: %v", want, err)
			}
			return
		}
		opened := want.Sides[0].Opened || want.Sides[1].Opened
		if got, err := c.Decode(feed, handle, offset); opened && (err != nil || got != want) {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}

		flipped := []byte(handle)
		flipped[bit/8%uint(len(flipped))] ^= 1 << (bit % 8)
		if got, err := c.DecodeHandle(feed, string(flipped)); !errors.Is(err, ErrInvalid) {
			t.Fatalf("%s instead of %s was read as %+v, %v", flipped, handle, got, err)
		}
		other := feed
		other[bit%uint(len(other))] ^= 1 << (bit % 8)
		if got, err := c.DecodeHandle(other, handle); !errors.Is(err, ErrInvalid) {
			t.Fatalf("another feed read it as %+v, %v", got, err)
		}

		got, err := c.Decode(feed, handle, edited)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for i, side := range got.Sides {
			if side.Handle != "" && side.Handle != want.Sides[i].Handle {
				t.Fatalf("the offset %q led to the handle %q", edited, side.Handle)
			}
		}
		if got.Nonce != want.Nonce || got.Xmin != want.Xmin || !got.Floor.Equal(want.Floor) {
			t.Fatalf("the offset %q changed %+v into %+v", edited, want, got)
		}
	})
}
