package embedded

import (
	"sync"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// follower is the Server as the replication stream sees it.
type follower struct {
	server *Server
	once   sync.Once
	up     chan struct{} // closed when the stream is connected for the first time
}

// Following implements replication.Consumer.
func (f *follower) Following(connected bool) {
	defer f.server.hooks.progress()
	if connected {
		f.server.state.Store(int32(active))
		f.once.Do(func() { close(f.up) })
		return
	}
	f.server.state.Store(int32(waiting))
}

// Lost implements replication.Consumer: no shape may go on over a gap.
func (f *follower) Lost() { f.server.rotateAll() }

// Position implements replication.Consumer.
func (f *follower) Position(lsn replication.LSN) {
	f.server.read.Store(uint64(lsn))
	f.server.hooks.progress()
}

// Transaction implements replication.Consumer: it gives every shape that the
// transaction concerns its changes, then lets the server's position grow. A
// reader that takes the position first and reads the log second therefore never
// names a position beyond what it has read.
func (f *follower) Transaction(tx replication.Transaction) {
	s := f.server
	var over []*shape
	s.mu.RLock()
	for sh, changes := range s.concerned(&tx) {
		if sh.apply(&tx, changes) {
			over = append(over, sh)
		}
	}
	s.processed.add(tx.XID)
	s.mu.RUnlock()
	for _, sh := range over {
		s.retire(sh, nil)
	}
	s.seen.Store(uint64(tx.CommitLSN))
}

// concerned finds for each shape the changes that may concern it: through the
// index those of rows; for all shapes of a table its truncation, and the first
// change after the table was altered, at which they look whether they can go on.
// s.mu is held.
func (s *Server) concerned(tx *replication.Transaction) map[*shape][]int {
	out := make(map[*shape][]int)
	for i := range tx.Changes {
		c := &tx.Changes[i]
		x := s.tables[c.Relation.Table]
		if x == nil {
			continue
		}
		visit := func(sh *shape) {
			if n := len(out[sh]); n == 0 || out[sh][n-1] != i {
				out[sh] = append(out[sh], i)
			}
		}
		if x.follow(c.Relation) || c.Kind == replication.Truncate {
			for sh := range x.shapes {
				visit(sh)
			}
			continue
		}
		x.find(c.Old, visit)
		x.find(c.New, visit)
	}
	return out
}

// xidRing holds the ids of the transactions read last. One goroutine adds while
// it holds the server's lock for reading; others look while they hold it for
// writing.
type xidRing struct {
	ids  []uint32
	next int
}

// ringSize is how many transactions can be read from the log while one of them
// is not yet visible to new snapshots. There are at most as many of those as
// connections, and they last microseconds, or as long as a synchronous standby
// needs.
const ringSize = 8192

func (r *xidRing) add(xid uint32) {
	if len(r.ids) < ringSize {
		r.ids = append(r.ids, xid)
		return
	}
	r.ids[r.next] = xid
	r.next = (r.next + 1) % ringSize
}

func (r *xidRing) all() []uint32 { return append([]uint32(nil), r.ids...) }
