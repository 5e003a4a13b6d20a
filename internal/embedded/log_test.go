package embedded

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// TestLogReads: the chunks of a log are fixed when it is written. A read from
// any position gives what follows it, in order, and stops where its chunk stops,
// whatever was written in between.
func TestLogReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 30).Draw(t, "chunk bytes")
		l := shapeLog{chunkBytes: limit}
		var all []shapes.Offset
		ends := map[shapes.Offset]bool{} // the chunks' ends, worked out from the sizes
		tx, size := uint64(rapid.IntRange(1, 9).Draw(t, "first tx")), 0
		for range rapid.IntRange(0, 40).Draw(t, "transactions") {
			op := uint32(0)
			for range rapid.IntRange(1, 5).Draw(t, "changes") {
				body := bytes.Repeat([]byte("x"), rapid.IntRange(1, 20).Draw(t, "size"))
				l.append(entry{tx: tx, op: op, body: body})
				o := shapes.LogOffset(tx, op)
				all = append(all, o)
				if size += len(body); size >= limit {
					ends[o], size = true, 0
				}
				op += uint32(rapid.IntRange(1, 3).Draw(t, "step"))
			}
			tx += uint64(rapid.IntRange(1, 3).Draw(t, "gap"))
		}
		if len(all) == 0 {
			if l.last() != shapes.SnapshotEnd || len(l.after(shapes.SnapshotEnd)) != 0 {
				t.Fatal("an empty log does not end at the end of the snapshot")
			}
			return
		}
		from := shapes.SnapshotEnd
		switch i := rapid.IntRange(-1, len(all)-1).Draw(t, "from"); rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			if i >= 0 {
				from = all[i]
			}
		case 1: // all of a transaction
			if i >= 0 {
				from = shapes.Offset{Kind: shapes.AtEnd, Tx: all[i].Tx}
			}
		case 2: // between two entries
			from = shapes.LogOffset(rapid.Uint64Range(1, tx).Draw(t, "tx"), rapid.Uint32Range(0, 12).Draw(t, "op"))
		}
		var want []shapes.Offset
		for _, o := range all {
			if o.Compare(from) > 0 {
				want = append(want, o)
				if ends[o] {
					break
				}
			}
		}
		var got []shapes.Offset
		for _, e := range l.after(from) {
			got = append(got, e.offset())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("after %s: %v, want %v", from, got, want)
		}
	})
}
