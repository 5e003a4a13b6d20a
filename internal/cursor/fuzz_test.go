package cursor

import (
	"testing"

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
			return
		}
		_, again, err := c.Encode(feed, cur)
		if err != nil || again != offset {
			t.Fatalf("%q was read as %+v, which is written %q, %v", offset, cur.Sides, again, err)
		}
	})
}
