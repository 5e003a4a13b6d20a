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
	open       int           // bytes in the last chunk, when that is not full
	size       int64         // what the entries take up
	dropped    shapes.Offset // of the newest entry that was dropped from the front; -1 for none
}

// cost is what an entry takes up in memory: its message, its place in the slice,
// and the slice's room to grow.
func (e *entry) cost() int64 { return int64(cap(e.body)) + 96 }

func (l *shapeLog) append(e entry) {
	l.open += len(e.body)
	if l.open >= l.chunkBytes {
		e.chunkEnd = true
		l.open = 0
	}
	l.entries = append(l.entries, e)
	l.size += e.cost()
}

// drop gives up entries from the front, the oldest first, until the others take
// up no more than target or needed says that somebody may ask for what follows an
// entry's predecessor. Little is not worth the copy: then nothing is dropped.
func (l *shapeLog) drop(target int64, needed func(shapes.Offset) bool) (freed int64) {
	n := 0
	for n < len(l.entries) && l.size-freed > target && !needed(l.entries[n].offset()) {
		freed += l.entries[n].cost()
		n++
	}
	if freed < l.size/4 || n == 0 {
		return 0
	}
	l.dropped = l.entries[n-1].offset()
	l.entries = append([]entry(nil), l.entries[n:]...)
	l.size -= freed
	return freed
}

// has says whether everything that followed offset is still there.
func (l *shapeLog) has(offset shapes.Offset) bool { return l.dropped.Compare(offset) <= 0 }

// last is the position of the newest entry, or the end of the snapshot.
func (l *shapeLog) last() shapes.Offset {
	switch {
	case len(l.entries) > 0:
	case l.dropped == shapes.Offset{}:
		return shapes.SnapshotEnd
	default:
		return l.dropped
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
