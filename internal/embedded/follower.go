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

	tx      replication.Transaction
	any     bool     // it has changed something
	touched []*shape // that keep something of it
}

// Following implements replication.Consumer.
func (f *follower) Following(connected bool) {
	defer f.server.hooks.progress()
	if connected {
		f.server.connects.Add(1)
		f.server.state.Store(int32(active))
		f.once.Do(func() { close(f.up) })
		return
	}
	f.server.state.Store(int32(waiting))
}

// Lost implements replication.Consumer: no shape may go on over a gap.
func (f *follower) Lost() {
	f.server.losses.Add(1)
	f.server.rotateAll()
}

// Position implements replication.Consumer.
func (f *follower) Position(lsn replication.LSN) {
	f.server.read.Store(uint64(lsn))
	f.server.hooks.progress()
}

// Begin implements replication.Consumer. From here on the transaction counts as
// read: a shape that is registered while it is under way is told of its rest
// alone, and needs a snapshot that sees the whole.
func (f *follower) Begin(tx replication.Transaction) {
	s := f.server
	f.tx, f.any, f.touched = tx, false, f.touched[:0]
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.processed.add(tx.XID)
}

// Change implements replication.Consumer: it gives the change to the shapes that
// it may concern. Those of a row are found through the index; all shapes of a
// table are told of its truncation, and of the first change after the table was
// altered, at which they look whether they can go on.
func (f *follower) Change(c replication.Change) {
	s := f.server
	f.any = true
	s.mu.RLock()
	defer s.mu.RUnlock()
	x := s.tables[c.Relation.Table]
	if x == nil {
		return
	}
	visit := func(sh *shape) {
		if sh.change(f.tx, &c) {
			f.touched = append(f.touched, sh)
		}
	}
	if x.follow(c.Relation) || c.Kind == replication.Truncate {
		for sh := range x.shapes {
			visit(sh)
		}
		return
	}
	x.find(c.Old, visit)
	x.find(c.New, visit)
}

// Commit implements replication.Consumer. It gives the transaction to readers,
// then lets the server's position grow: a reader that takes the position first
// and reads the log second never names a position beyond what it has read.
func (f *follower) Commit() {
	s, now := f.server, f.server.hooks.now()
	for _, sh := range f.touched {
		switch sh.commit(now) {
		case over:
			s.retire(sh, nil)
		case overwhelmed:
			s.retire(sh, errOverwhelmed)
		case unread:
			s.retireIdle(sh, now)
		case outgrown:
			s.shorten(sh, now)
		}
	}
	if f.any {
		s.seen.Store(uint64(f.tx.CommitLSN))
		if s.cfg.Committed != nil {
			s.cfg.Committed(s.hooks.now().Sub(f.tx.Committed))
		}
	}
	f.forget()
	if s.ledger.memory.Load() > s.cfg.MemoryBytes {
		s.relieve(now, someMargin)
	}
}

// Abort implements replication.Consumer.
func (f *follower) Abort() {
	for _, sh := range f.touched {
		sh.abort()
	}
	f.forget()
}

// forget lets go of the shapes, which may be retired from now on.
func (f *follower) forget() {
	clear(f.touched)
	f.touched = f.touched[:0]
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
