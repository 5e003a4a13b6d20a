package embedded

import (
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// standing says what a reader at an offset finds.
type standing uint8

const (
	hasChunk  standing = iota // a chunk of the snapshot
	hasLog                    // messages of the log
	atEnd                     // nothing yet
	notYet                    // the snapshot has not come that far
	beyondEnd                 // the offset lies after the end
	gone                      // the shape has rotated, or what follows was cut off
)

// reading is what follows an offset, seen at one moment.
type reading struct {
	standing standing
	chunk    int           // for hasChunk
	entries  []entry       // for hasLog
	end      shapes.Offset // the position of the last message, or the reader's own
	upToDate bool          // nothing follows end
	changed  <-chan struct{}
	failure  error // for gone
}

// read looks at what follows offset.
func (sh *shape) read(offset shapes.Offset) reading {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := reading{changed: sh.changed, end: offset}
	if sh.phase == rotated || sh.former && (offset.InSnapshot() || !sh.log.has(offset)) {
		r.standing, r.failure = gone, sh.failure
		return r
	}
	if offset.InSnapshot() {
		n := 0
		if offset.Kind == shapes.At {
			n = int(offset.Op) + 1
		}
		if n < sh.chunks {
			r.standing, r.chunk, r.end = hasChunk, n, shapes.SnapshotChunk(uint32(n))
			return r
		}
		offset = shapes.SnapshotEnd
		r.end = offset
	}
	if !sh.complete {
		r.standing = notYet
		return r
	}
	last := sh.log.last()
	if offset.Compare(last) > 0 {
		r.standing = beyondEnd
		return r
	}
	r.entries = sh.log.after(offset)
	r.standing = atEnd
	if n := len(r.entries); n > 0 {
		r.standing, r.end = hasLog, r.entries[n-1].offset()
	}
	r.upToDate = r.end.Compare(last) >= 0
	return r
}
