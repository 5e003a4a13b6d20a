package merge

import "sync/atomic"

// freeBytes is how much of a side's body is held in any case.
const freeBytes = 8 << 10

// budget is what all bodies together may hold beyond freeBytes. It is safe for
// concurrent use.
type budget struct {
	most int64
	held atomic.Int64
}

// take takes n bytes, if they are there.
func (b *budget) take(n int) bool {
	if b.held.Add(int64(n)) > b.most {
		b.give(n)
		return false
	}
	return true
}

func (b *budget) give(n int) { b.held.Add(-int64(n)) }
