package embedded

import (
	"slices"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// give hands a follower a transaction of n changes, without an end.
func give(f *follower, tx replication.Transaction, n int) {
	f.Begin(tx)
	for i := range n {
		c := runChange(5)
		c.Op = uint32(2 * i)
		f.Change(c)
	}
}

// offsets are the places of a log's entries, the last of a transaction marked.
func offsets(l *shapeLog) string {
	var all []string
	for i := range l.entries {
		mark := ""
		if strings.Contains(string(l.entries[i].body), `"last":true`) {
			mark = "!"
		}
		all = append(all, l.entries[i].offset().String()+mark)
	}
	return strings.Join(all, " ")
}

// TestAbort: of a transaction that breaks off nothing stays, in whichever phase a
// shape is, and it can come again.
func TestAbort(t *testing.T) {
	f, sh := followerOf(10)
	sh.phase = joining
	for _, p := range []phase{joining, following} {
		kept, before := sh.charged, offsets(&sh.log)
		give(f, replication.Transaction{XID: 200, CommitLSN: 9000}, 3)
		if sh.charged <= kept || len(f.touched) == 0 {
			t.Errorf("phase %d: %d bytes of a transaction, %d shapes have something of it", p, sh.charged-kept, len(f.touched))
		}
		f.Abort()
		if sh.open != nil || sh.charged != kept || f.server.ledger.memory.Load() != kept || len(f.touched) != 0 || len(sh.pending) != 0 || offsets(&sh.log) != before {
			t.Errorf("phase %d: %d bytes are left, %+v, %d kept aside, the log has %s", p, sh.charged-kept, sh.open, len(sh.pending), offsets(&sh.log))
		}
		f.Abort() // twice, as when the next connection breaks off at once
		give(f, replication.Transaction{XID: 200 + uint32(p), CommitLSN: 9000 + replication.LSN(p)}, 2)
		f.Commit()
		if p == joining && sh.join(joinPoint{snapshot: pgSnapshot{xmin: 200, xmax: 200}, until: 1}) {
			t.Error("the shape cannot go on")
		}
	}
	if got := offsets(&sh.log); got != "9000_0 9000_2! 9001_0 9001_2!" {
		t.Errorf("the log has %s", got)
	}
}

// TestJoin: of what was kept aside, and of what is being read when the snapshot is
// there, the log gets what the snapshot does not see, whole and in order; and of
// what comes later too.
func TestJoin(t *testing.T) {
	at := joinPoint{snapshot: pgSnapshot{xmin: 100, xmax: 110, xip: []uint64{105}}, until: 1000}
	for open, xid := range map[string]uint32{"in the log": 112, "in the snapshot": 103} {
		f, sh := followerOf(10)
		sh.phase = joining
		for _, tx := range []replication.Transaction{{XID: 101, CommitLSN: 500}, {XID: 105, CommitLSN: 600}, {XID: 99, CommitLSN: 650}} {
			give(f, tx, 2)
			f.Commit()
		}
		give(f, replication.Transaction{XID: xid, CommitLSN: 700}, 2)
		if sh.join(at) {
			t.Fatal("the shape cannot go on")
		}
		last := runChange(5)
		last.Op = 4
		f.Change(last)
		f.Commit()
		for _, tx := range []replication.Transaction{{XID: 104, CommitLSN: 800}, {XID: 120, CommitLSN: 900}, {XID: 104, CommitLSN: 1000}} {
			give(f, tx, 1) // late, and seen; new; an id that has come round
			f.Commit()
		}
		want := "600_0 600_2! 700_0 700_2 700_4! 900_0! 1000_0!"
		if open == "in the snapshot" {
			want = "600_0 600_2! 900_0! 1000_0!"
		}
		if got := offsets(&sh.log); got != want {
			t.Errorf("the open one is %s: the log has %s, want %s", open, got, want)
		}
		if sh.charged != sh.log.size || f.server.ledger.memory.Load() != sh.log.size {
			t.Errorf("the open one is %s: %d bytes are counted of %d", open, sh.charged, sh.log.size)
		}
	}
}

// TestTruncateWhileJoining: a table that was emptied while the snapshot was taken
// ends the shape, unless the snapshot sees it.
func TestTruncateWhileJoining(t *testing.T) {
	at := joinPoint{snapshot: pgSnapshot{xmin: 100, xmax: 110}, until: 1000}
	for xid, ends := range map[uint32]bool{101: false, 112: true} {
		for _, whole := range []bool{true, false} {
			f, sh := followerOf(10)
			sh.phase = joining
			f.Begin(replication.Transaction{XID: xid, CommitLSN: 500})
			f.Change(replication.Change{Kind: replication.Truncate, Relation: runRelation})
			if whole {
				f.Commit()
			}
			got := sh.join(at)
			if !whole {
				f.Commit()
				got = sh.phase == rotated
			}
			if got != ends {
				t.Errorf("transaction %d, whole %v: the shape ends is %v", xid, whole, got)
			}
		}
	}
}

// TestRing: the newest ids are there, however many there were.
func TestRing(t *testing.T) {
	for _, n := range []int{0, 1, ringSize, ringSize + 1, 2*ringSize + 77} {
		var r xidRing
		for i := range n {
			r.add(uint32(i))
		}
		got := r.all()
		slices.Sort(got)
		for i, x := range got {
			if want := uint32(n - len(got) + i); x != want {
				t.Fatalf("of %d: %d instead of %d", n, x, want)
			}
		}
		if len(got) != min(n, ringSize) {
			t.Errorf("of %d: %d", n, len(got))
		}
	}
}
