package flight

import (
	"container/list"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// entryBytes is what an entry of a ring takes beyond its rows.
const entryBytes = 256

// largest is the part of what all rings hold that one piece of news may be.
const largest = 16

// ring is the recent news of one handle of a shape, in the order in which it landed.
type ring struct {
	handle  string
	gone    string          // the handle that was rotated last: what still lands of it is not kept, if it is gone as a whole
	how     *shapes.Rotated // nil: that is only likely
	beyond  shapes.Offset   // if it is out of bounds only: where, until the log goes as far
	entries []*entry
	bytes   int // of the entries

	// The last piece of news that is more than all entries may be. Readers who fell further
	// behind than the entries reach come one by one, and are mostly told such a piece.
	large *entry

	// What several entries come to together, for the many who fell behind at the same
	// place.
	joined     *shapes.News
	joinedFrom shapes.Offset
}

// entry is the news of one flight: all there is from a place to news.Next.
type entry struct {
	shape *shape
	from  shapes.Offset
	news  *shapes.News
	age   *list.Element // in store.ages
}

func (e *entry) bytes() int { return entryBytes + len(e.news.Rows) }

// store bounds what all rings hold together. It is under the lock of its Group.
type store struct {
	entries   int // of one ring
	ringBytes int // of one ring
	allBytes  int // of all rings
	bytes     int
	ages      list.List // of *entry, the oldest first
}

// keep puts news that landed from pos into the ring of its shape, and drops what is
// the oldest for it. News that does not move the reader is not kept: it would be given
// to the same reader for ever.
func (st *store) keep(s *shape, pos shapes.Position, news *shapes.News) {
	r := &s.ring
	e := &entry{shape: s, from: pos.Offset, news: news}
	if pos.Handle != news.Next.Handle || r.isGone(pos) || pos.Offset.Compare(news.Next.Offset) >= 0 || st.entries <= 0 || st.ringBytes <= 0 {
		return
	}
	large := e.bytes() > st.ringBytes
	if large && e.bytes() > st.allBytes/largest || e.bytes() > st.allBytes {
		return
	}
	if r.handle != pos.Handle {
		st.clear(s)
		r.handle = pos.Handle
	}
	if large {
		if r.large != nil {
			st.drop(r.large)
		}
		r.large = e
	} else {
		r.entries = append(r.entries, e)
		r.bytes += e.bytes()
		r.joined = nil
	}
	st.bytes += e.bytes()
	e.age = st.ages.PushBack(e)
	for len(r.entries) > st.entries || r.bytes > st.ringBytes {
		st.drop(r.entries[0])
	}
	for st.bytes > st.allBytes {
		st.drop(st.ages.Front().Value.(*entry))
	}
}

// drop forgets an entry: the large one of its ring, or the oldest of the others. The oldest
// of all is one of these.
func (st *store) drop(e *entry) {
	r := &e.shape.ring
	if r.large == e {
		r.large = nil
	} else {
		r.entries[0] = nil
		r.entries = r.entries[1:]
		r.bytes -= e.bytes()
		r.joined = nil
	}
	st.bytes -= e.bytes()
	st.ages.Remove(e.age)
}

// clear forgets the ring of a shape.
func (st *store) clear(s *shape) {
	for len(s.ring.entries) > 0 {
		st.drop(s.ring.entries[0])
	}
	if s.ring.large != nil {
		st.drop(s.ring.large)
	}
	s.ring.handle, s.ring.entries = "", nil
}

// rotated takes in that a place of the shape is gone, with its handle, or, if it is out of
// bounds, by itself: what lies behind it may be in bounds before this process hears of that,
// and others ask there. how is nil where it is only likely.
func (st *store) rotated(s *shape, pos shapes.Position, how *shapes.Rotated) {
	r := &s.ring
	if r.handle == pos.Handle {
		st.clear(s)
	}
	if r.gone == pos.Handle && r.how != nil && (how == nil || !r.how.OutOfBounds) {
		return // what is known says more
	}
	r.gone, r.how, r.beyond = pos.Handle, how, pos.Offset
}

// isGone says that a place is gone, or is likely to be.
func (r *ring) isGone(pos shapes.Position) bool {
	return pos.Handle == r.gone && (r.how == nil || !r.how.OutOfBounds || pos.Offset == r.beyond)
}

// lost is how a place was rotated, if that is known. Who asks there is told so at once: one
// side's news would otherwise be told again and again to a stream that never gets as far as
// to hear of the other side's rotation.
func (r *ring) lost(pos shapes.Position) error {
	if r.how == nil || begins(pos) || !r.isGone(pos) {
		return nil
	}
	return r.how
}

// named takes in where an answer ends. A handle with which a read from the beginning was
// answered is not gone after all. And a place that the log goes up to is in bounds by now:
// who is told to go there must not be told then that it is lost.
func (r *ring) named(from, next shapes.Position) {
	switch {
	case r.how == nil || next.Handle != r.gone:
	case r.how.OutOfBounds && next.Offset.Compare(r.beyond) >= 0, !r.how.OutOfBounds && begins(from):
		r.gone, r.how = "", nil
	}
}

// from gives all there is from pos up to the newest without a gap, or nil: an entry
// goes on exactly where the one before it ends. What it gives is shared.
func (r *ring) from(pos shapes.Position) *shapes.News {
	if r.handle != pos.Handle {
		return nil
	}
	first := r.at(pos.Offset)
	if first == nil {
		if r.large != nil && r.large.from == pos.Offset {
			return r.large.news
		}
		return nil
	}
	second := r.at(first.news.Next.Offset)
	if second == nil {
		return first.news
	}
	if r.joined == nil || r.joinedFrom != pos.Offset {
		r.joined, r.joinedFrom = r.join(first), pos.Offset
	}
	return r.joined
}

// join makes one piece of news of an entry and all that follow it. It is bounded as
// the ring is.
func (r *ring) join(first *entry) *shapes.News {
	all := *first.news
	all.Framed = new(shapes.Framed)
	all.Rows = append(make([]byte, 0, r.bytes), all.Rows...)
	for e := r.at(all.Next.Offset); e != nil; e = r.at(all.Next.Offset) {
		all.Append(&e.news.Batch)
		all.Next = e.news.Next
	}
	return &all
}

func (r *ring) at(offset shapes.Offset) *entry {
	for i := len(r.entries) - 1; i >= 0; i-- {
		if r.entries[i].from == offset {
			return r.entries[i]
		}
	}
	return nil
}
