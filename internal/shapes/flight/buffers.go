package flight

import (
	"math/bits"
	"sync"
)

// buffers are memory for bodies that are held, which is taken in steps, each twice the one
// before, until it is known how large a body is. Of one that is too large to be held all of
// them would be garbage: more of it than all else that the reader of a large feed causes.
// They are safe for concurrent use.
type buffers struct {
	classes [8]sync.Pool // of *[]byte: see class
}

// class says which of the classes has room for so many bytes: each has twice as much as the
// one before, and an eighth more, since the last message goes beyond. ok is false for what
// none has.
func class(bytes int) (i, size int, ok bool) {
	i = bits.Len(uint(max(bytes, 1)-1) / shareStep)
	size = shareStep << i
	return i, size + size/8, i < len(buffers{}.classes)
}

// moved gives rows in memory for so many bytes, and keeps that in which they were.
func (b *buffers) moved(rows []byte, bytes int) []byte {
	i, size, ok := class(bytes)
	if !ok || cap(rows) >= size {
		return rows
	}
	to, pooled := b.classes[i].Get().(*[]byte)
	if !pooled {
		fresh := make([]byte, 0, size)
		to = &fresh
	}
	moved := append(*to, rows...)
	b.keep(rows)
	return moved
}

// keep takes memory that nobody has any more.
func (b *buffers) keep(rows []byte) {
	rows = rows[:0]
	if i, size, ok := class(cap(rows) * 8 / 9); ok && size == cap(rows) {
		b.classes[i].Put(&rows)
	}
}
