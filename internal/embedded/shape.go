package embedded

import (
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// phase is where a shape is in its life.
type phase uint8

const (
	// joining: what its snapshot sees is not known yet. What happens to its rows
	// is kept aside.
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
	born     int64 // grows from shape to shape
	query    *query
	ledger   *ledger
	share    int64  // what its log may take up
	most     int64  // what may be kept of one transaction, and while joining
	stop     func() // ends the writing of the snapshot

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, whenever what readers see changes
	phase   phase
	use     use
	charged int64                // what the ledger has for it, the spool's part left out
	pending []pendingTransaction // while joining
	open    *openTransaction     // the one that is being read from the log, if it concerns the shape
	joined  joinPoint            // from following on
	layout  *layout              // of the relation last seen
	log     shapeLog
	// former says that newcomers get another shape of the same definition,
	// because this one's log was cut short. Its readers go on.
	former   bool
	spool    *spool
	chunks   int   // of the snapshot, readable
	writing  bool  // the snapshot is being written to spool
	complete bool  // the snapshot is whole
	failure  error // why the snapshot could not be taken; set with rotated only
}

func newShape(handle, identity string, q *query, cfg *Config, l *ledger, now time.Time, stop func()) *shape {
	return &shape{
		handle: handle, identity: identity, query: q, ledger: l,
		share: cfg.ShapeBytes, most: cfg.MemoryBytes / 2, stop: stop,
		changed: make(chan struct{}),
		use:     newUse(cfg.KeepFor, now),
		log:     shapeLog{chunkBytes: cfg.ChunkBytes},
		spool:   newSpool(cfg, l), writing: true,
	}
}

// broadcast wakes everyone who waits for the shape. sh.mu is held.
func (sh *shape) broadcast() {
	close(sh.changed)
	sh.changed = make(chan struct{})
}

// charge tells the ledger of bytes taken up, or freed. sh.mu is held.
func (sh *shape) charge(bytes int64) {
	sh.charged += bytes
	sh.ledger.memory.Add(bytes)
}

// enter notes that a request is being served from the shape.
func (sh *shape) enter(a *answer) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.use.enter(a, a.req.offset)
}

// leave notes that it has ended.
func (sh *shape) leave(a *answer, now time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.use.leave(a, now)
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
	if sh.phase == rotated || sh.former {
		sh.spool.discard()
	}
}

// rotate ends the shape and wakes its readers. failure is nil unless the
// snapshot could not be taken.
func (sh *shape) rotate(failure error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.end(failure)
}

// rotateIdle ends the shape if nobody reads it.
func (sh *shape) rotateIdle(now time.Time) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.use.idle(now) {
		return false
	}
	sh.end(nil)
	return true
}

// end is what both do. sh.mu is held.
func (sh *shape) end(failure error) {
	if sh.phase == rotated {
		return
	}
	sh.phase = rotated
	sh.failure = failure
	sh.pending, sh.open, sh.log = nil, nil, shapeLog{}
	sh.charge(-sh.charged)
	sh.stop()
	if !sh.writing {
		sh.spool.discard()
	}
	sh.broadcast()
}

// shorten cuts the log to target bytes, as far as no reader of the last minute
// may come back to what is cut. Newcomers cannot use the shape after that.
func (sh *shape) shorten(target int64, now time.Time) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.phase != following || !sh.complete {
		return false
	}
	freed := sh.log.drop(target, func(o shapes.Offset) bool { return sh.use.needs(o, now) })
	if freed == 0 {
		return false
	}
	sh.charge(-freed)
	if !sh.former {
		sh.former = true
		if !sh.writing {
			sh.spool.discard()
		}
	}
	return true
}
