package embedded

import (
	"sort"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// entry is one message of a shape's log. It is never changed.
type entry struct {
	tx       uint64
	op       uint32
	chunkEnd bool // the last of its chunk
	body     []byte
}

func (e *entry) offset() shapes.Offset { return shapes.LogOffset(e.tx, e.op) }

// shapeLog is what happened to a shape since its snapshot, cut into chunks. A
// chunk ends with the message that fills it, wherever a transaction may be: the
// cuts are made when the log is written, and a read never crosses one.
type shapeLog struct {
	chunkBytes int
	entries    []entry
	open       int // bytes in the last chunk, when that is not full
}

func (l *shapeLog) append(tx uint64, op uint32, body []byte) {
	l.open += len(body)
	e := entry{tx: tx, op: op, body: body}
	if l.open >= l.chunkBytes {
		e.chunkEnd = true
		l.open = 0
	}
	l.entries = append(l.entries, e)
}

// last is the position of the newest entry, or the end of the snapshot.
func (l *shapeLog) last() shapes.Offset {
	if len(l.entries) == 0 {
		return shapes.SnapshotEnd
	}
	return l.entries[len(l.entries)-1].offset()
}

// after returns what follows offset, up to the end of the chunk in which it
// begins. The slice stays valid and unchanged while the log grows.
func (l *shapeLog) after(offset shapes.Offset) []entry {
	from := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].offset().Compare(offset) > 0 })
	to := from
	for to < len(l.entries) {
		to++
		if l.entries[to-1].chunkEnd {
			break
		}
	}
	return l.entries[from:to:to]
}
