package embedded

import (
	"sync"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// phase is where a shape is in its life.
type phase uint8

const (
	// joining: it is registered, and what its snapshot sees is not known yet.
	// What happens to its rows is kept aside.
	joining phase = iota
	// following: changes go to the log as they come.
	following
	// rotated: over. Nobody gets it any more; its readers start over.
	rotated
)

// shape is one definition's snapshot and log under one handle.
type shape struct {
	handle   string
	identity string
	query    *query

	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, whenever a field below changes
	phase    phase
	pending  []pendingTransaction // while joining
	joined   joinPoint            // from following on
	layout   *layout              // of the relation last seen
	log      shapeLog
	spool    *spool
	chunks   int    // of the snapshot, readable
	writing  bool   // the snapshot is being written to spool
	complete bool   // the snapshot is whole
	stop     func() // ends the writing of the snapshot
	failure  error  // why the snapshot could not be taken; set with rotated only
}

// pendingTransaction is a transaction, and those of its changes that may concern
// a shape that is still joining.
type pendingTransaction struct {
	tx      *replication.Transaction
	changes []int
}

func newShape(handle, identity string, q *query, chunkBytes int, sp *spool, stop func()) *shape {
	return &shape{
		handle: handle, identity: identity, query: q,
		changed: make(chan struct{}),
		log:     shapeLog{chunkBytes: chunkBytes},
		spool:   sp, writing: true, stop: stop,
	}
}

// broadcast wakes everyone who waits for the shape. sh.mu is held.
func (sh *shape) broadcast() {
	close(sh.changed)
	sh.changed = make(chan struct{})
}

// apply takes the named changes of a transaction, and says whether the shape
// must rotate because of them.
func (sh *shape) apply(tx *replication.Transaction, changes []int) (rotate bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch sh.phase {
	case joining:
		sh.pending = append(sh.pending, pendingTransaction{tx, changes})
		return false
	case following:
		return !sh.joined.covers(tx) && sh.record(tx, changes)
	}
	return false
}

// joinPoint is what a snapshot sees, and a position of the log that it cannot
// see beyond.
type joinPoint struct {
	snapshot pgSnapshot
	until    replication.LSN
}

// covers says whether a transaction's changes are in the snapshot already. A
// 32-bit transaction id means something near the snapshot only, which is why the
// position is asked first: a shape may live longer than ids take to come round.
func (j joinPoint) covers(tx *replication.Transaction) bool {
	return tx.CommitLSN < j.until && j.snapshot.sees(tx.XID)
}

// join ends the joining: of the transactions kept aside, those that the snapshot
// sees are dropped and the others go to the log, in commit order. Transactions
// that the snapshot sees can still come later, and are dropped then.
func (sh *shape) join(at joinPoint) (rotate bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.phase != joining {
		return false
	}
	sh.phase, sh.joined = following, at
	pending := sh.pending
	sh.pending = nil
	for _, p := range pending {
		if !at.covers(p.tx) && sh.record(p.tx, p.changes) {
			return true
		}
	}
	return false
}

// record writes a transaction to the log. sh.mu is held.
func (sh *shape) record(tx *replication.Transaction, changes []int) (rotate bool) {
	var out []logMessage
	for _, i := range changes {
		c := tx.Changes[i]
		if sh.layout == nil || sh.layout.relation != c.Relation {
			l, ok := sh.query.fit(c.Relation)
			if !ok {
				return true
			}
			sh.layout = l
		}
		if c.Kind == replication.Truncate {
			return true
		}
		inside, stays := sh.query.selects(sh.layout, c.Old), sh.query.selects(sh.layout, c.New)
		if inside || stays {
			out = sh.query.encoder.messages(out, c, sh.layout.project(c.Old), sh.layout.project(c.New), inside, stays)
		}
	}
	for i, m := range out {
		sh.log.append(uint64(tx.CommitLSN), m.op, sh.query.encoder.encode(m, tx, i == len(out)-1))
	}
	if out != nil {
		sh.broadcast()
	}
	return false
}

// addChunk makes another chunk of the snapshot readable; last ends it.
func (sh *shape) addChunk(last bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.spool.cut()
	sh.chunks++
	sh.complete = last
	sh.broadcast()
}

// written says that nothing writes to the spool any more.
func (sh *shape) written() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.writing = false
	if sh.phase == rotated {
		sh.spool.discard()
	}
}

// rotate ends the shape and wakes its readers. failure is nil unless the
// snapshot could not be taken.
func (sh *shape) rotate(failure error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.phase == rotated {
		return
	}
	sh.phase = rotated
	sh.failure = failure
	sh.pending = nil
	sh.log = shapeLog{}
	sh.stop()
	if !sh.writing {
		sh.spool.discard()
	}
	sh.broadcast()
}
