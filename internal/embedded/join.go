package embedded

import (
	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// joinPoint is what a snapshot sees, and a position of the log that it cannot
// see beyond.
type joinPoint struct {
	snapshot pgSnapshot
	until    replication.LSN
}

// covers says whether a transaction's changes are in the snapshot already. A
// 32-bit transaction id means something near the snapshot only, which is why the
// position is asked first: a shape may live longer than ids take to come round.
func (j joinPoint) covers(tx replication.Transaction) bool {
	return tx.CommitLSN < j.until && j.snapshot.sees(tx.XID)
}

// join ends the joining: of the transactions kept aside, those that the snapshot
// sees are dropped and the others go to the log, in commit order. Transactions
// that the snapshot sees can still come later, and are dropped then. So can the
// rest of the one that is being read.
func (sh *shape) join(at joinPoint) (rotate bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.phase != joining {
		return false
	}
	sh.phase, sh.joined = following, at
	pending, open := sh.pending, sh.open
	sh.pending, sh.open = nil, nil
	sh.charge(-sh.charged)
	for _, p := range pending {
		if !at.covers(p.tx) && sh.publish(sh.restage(p)) {
			return true
		}
	}
	if open != nil && !at.covers(open.tx) {
		o := sh.restage(open.pendingTransaction)
		o.any, o.lastOp, o.over = open.any, open.lastOp, o.over || open.over
		sh.open = o
	}
	return false
}

// restage writes the messages of changes that were kept aside. sh.mu is held.
func (sh *shape) restage(p pendingTransaction) *openTransaction {
	o := &openTransaction{pendingTransaction: pendingTransaction{tx: p.tx}}
	sh.open = o
	for i := range p.changes {
		sh.stage(&p.changes[i])
	}
	sh.open = nil
	return o
}
