package embedded

import (
	"time"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// pendingTransaction is a transaction, and those of its changes that may concern
// a shape that is still joining.
type pendingTransaction struct {
	tx      replication.Transaction
	changes []replication.Change
}

// openTransaction is what a transaction means to one shape, as far as it has been
// read from the log. Readers see it when it commits.
type openTransaction struct {
	pendingTransaction             // while joining
	lastOp             uint32      // of the newest change that was looked at
	any                bool        // there was one
	over               bool        // the shape cannot go on after it
	entries            []entry     // written; all but the last message
	last               *logMessage // not written yet: it may be the transaction's last
	size               int64       // what all this takes up
}

// verdict says what a transaction leaves a shape in.
type verdict uint8

const (
	goesOn      verdict = iota
	outgrown            // its log takes up more than its share
	unread              // it is a former one, and nobody reads it any more
	over                // it must rotate
	overwhelmed         // more was written than can be kept until its snapshot is there
)

// change takes a change of a transaction, and says whether it is the first that
// the shape keeps anything of. A change that it has seen is left out.
func (sh *shape) change(tx replication.Transaction, c *replication.Change) (first bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.phase == rotated || sh.phase == following && sh.joined.covers(tx) {
		return false
	}
	first = sh.open == nil
	if first {
		sh.open = &openTransaction{pendingTransaction: pendingTransaction{tx: tx}}
	}
	o := sh.open
	if o.any && o.lastOp == c.Op {
		return first
	}
	o.any, o.lastOp = true, c.Op
	if sh.phase == joining {
		if n := changeSize(c); sh.charged+n <= sh.most {
			o.size += n
			sh.charge(n)
			o.changes = append(o.changes, *c)
		} else {
			o.over = true
		}
		return first
	}
	sh.stage(c)
	return first
}

// changeSize is about what a change takes up when it is kept.
func changeSize(c *replication.Change) int64 {
	n := int64(64)
	for _, row := range [2]replication.Tuple{c.Old, c.New} {
		for i := range row {
			n += int64(len(row[i].Text)) + 24
		}
	}
	return n
}

// stage writes the messages of a change, all but the last. sh.mu is held.
func (sh *shape) stage(c *replication.Change) {
	o := sh.open
	if o.over {
		return
	}
	if sh.layout == nil || sh.layout.relation != c.Relation {
		l, ok := sh.query.fit(c.Relation)
		if !ok {
			o.over = true
			return
		}
		sh.layout = l
	}
	if c.Kind == replication.Truncate {
		o.over = true
		return
	}
	inside, stays := sh.query.selects(sh.layout, c.Old), sh.query.selects(sh.layout, c.New)
	if !inside && !stays {
		return
	}
	var room [2]logMessage
	for _, m := range sh.query.encoder.messages(room[:0], *c, sh.layout.project(c.Old), sh.layout.project(c.New), inside, stays) {
		sh.write(false)
		o.last = &m
	}
	if o.size > sh.most {
		o.over = true
	}
}

// write writes the message that was held back. sh.mu is held.
func (sh *shape) write(last bool) {
	o := sh.open
	if o.last == nil {
		return
	}
	e := entry{tx: uint64(o.tx.CommitLSN), op: o.last.op, body: sh.query.encoder.encode(*o.last, o.tx, last)}
	o.last = nil
	o.entries = append(o.entries, e)
	o.size += e.cost()
	sh.charge(e.cost())
}

// commit ends the transaction that is being read.
func (sh *shape) commit(now time.Time) verdict {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	o := sh.open
	sh.open = nil
	switch {
	case o == nil: // rotated meanwhile, or covered by the snapshot
		return goesOn
	case sh.phase == joining && o.over:
		return overwhelmed
	case sh.phase == joining:
		sh.pending = append(sh.pending, o.pendingTransaction)
		return goesOn
	}
	if sh.publish(o) {
		return over
	}
	switch {
	case sh.former && sh.use.idle(now):
		return unread
	case sh.log.size > sh.share, sh.former && sh.log.size > sh.share/8:
		return outgrown
	}
	return goesOn
}

// publish gives a transaction to the readers. sh.mu is held.
func (sh *shape) publish(o *openTransaction) (rotate bool) {
	if o.over {
		return true
	}
	sh.open = o
	sh.write(true)
	sh.open = nil
	for _, e := range o.entries {
		sh.log.append(e)
	}
	if o.entries != nil {
		sh.broadcast()
	}
	return false
}

// abort drops the transaction that is being read: it comes again.
func (sh *shape) abort() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.open != nil {
		sh.charge(-sh.open.size)
		sh.open = nil
	}
}
