package flight

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// The part of the model that is told news: what readers are told is theirs, when they look
// at it at once and when they do so after much else has landed and the ring has dropped it;
// and is made into a body once for all who end it the same way.

// tails are how readers may end a body.
var tails = [2]string{`{"headers":{"control":"up-to-date"}}`, `{"headers":{"control":"up-to-date","global_last_seen_lsn":"7"}}`}

// refFrame is what one piece of news was made into: by the first reader who had it, whose
// end it has then.
type refFrame struct {
	tail string
	body []byte
}

type refTicket struct {
	ticket *Ticket
	flight *refFlight
	tail   string
	left   bool
	late   bool // it was not looked at yet
}

// takeLate has a reader who was late look at what it was told, and go on from there, late
// again.
func (m *model) takeLate(whom int) {
	var all []*refTicket
	for _, t := range m.tickets {
		if t.late && t.flight.landed {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return
	}
	t := all[whom%len(all)]
	t.late = false
	if t.flight.err == nil && !t.flight.limited && isPlace(t.flight.next) {
		m.join(t.flight.feed, t.flight.next, true, t.tail)
	}
}

// grow lands one piece of news after another, each where the one before it ends, for readers
// who are late, while others come to where the first began. Chance alone seldom comes so far
// that a ring has to drop something.
func (m *model) grow(d, times int, tail string) {
	var began shapes.Position
	for i := range times {
		pos := m.at(d, 0, 0)
		for _, e := range append(m.feeds[d].large, m.feeds[d].ring...) {
			if e.next.Handle == pos.Handle && isPlace(e.next) && e.next.Offset.Compare(pos.Offset) > 0 {
				pos = e.next
			}
		}
		m.join(d, pos, true, tail)
		m.calls = append(m.calls, m.script.pending()...)
		for n, c := range m.calls {
			f := m.flightOf(c)
			if f != nil && f.feed == d && f.pos == pos && !f.completing && c.live && c.ctx.Err() == nil {
				m.answer(n, 0)
				break
			}
		}
		m.script.settle()
		if i == 0 {
			began = pos
		} else {
			m.join(d, began, true, tail)
		}
	}
}

// isPlace says that a position is not on the way to a place: whose a call there is cannot be
// told from it.
func isPlace(pos shapes.Position) bool { return pos.Offset.Op%100 == 0 }

func (m *model) lookAtAll() {
	for _, t := range m.tickets {
		t.late = false
	}
}

func (t *refTicket) check() error {
	if t.late || t.left && !t.flight.landed {
		return nil // nobody looks
	}
	if landed(t.ticket) != t.flight.landed {
		return fmt.Errorf("landed is %v", !t.flight.landed)
	}
	if !t.flight.landed {
		return nil
	}
	news, err := t.ticket.Result()
	var limited *shapes.Limited
	switch {
	case t.flight.limited:
		if !errors.As(err, &limited) || news != nil {
			return fmt.Errorf("got %v, %v; want to be limited", news, err)
		}
	case t.flight.err != nil:
		if err != t.flight.err || news != nil {
			return fmt.Errorf("got %v, %v; want %v", news, err, t.flight.err)
		}
	case err != nil || string(news.Rows) != t.flight.rows || news.UpToDate != t.flight.upToDate || news.Next != t.flight.next || news.Count != strings.Count(t.flight.rows, `"key"`):
		return fmt.Errorf("got %+v, %v; want %+v", news, err, t.flight)
	default:
		return t.flight.frame.check(news, t.tail)
	}
	return nil
}

// check holds a body against what it must be made of: all who end it as the first did have
// the very same one, and the others have none.
func (f *refFrame) check(news *shapes.News, tail string) error {
	body, length := news.Framed.Body(news.Rows, []byte(tail))
	if f.tail == "" {
		f.tail, f.body = tail, body
	}
	want := "[" + string(news.Rows) + "," + tail + "]"
	switch {
	case f.tail != tail:
		if body != nil {
			return fmt.Errorf("with another end it is framed as %s", body)
		}
	case string(body) != want || length != strconv.Itoa(len(want)):
		return fmt.Errorf("framed as %s, of %s bytes; want %s", body, length, want)
	case &body[0] != &f.body[0]:
		return fmt.Errorf("%s was framed again", news.Rows)
	}
	return nil
}

// row is what a flight brings: mostly little, at times so much that two or three are all that a
// ring holds, or more than that.
func (m *model) row() string {
	long := []int{0, 0, 0, 300, 300, modelRingBytes}[m.serial%6]
	return fmt.Sprintf(`{"key":"%d%s","headers":{"operation":"insert"}}`, m.serial, strings.Repeat("x", long))
}

// refEntry is what is remembered of one flight.
type refEntry struct {
	from, next shapes.Position
	rows       string
	upToDate   bool
	frame      *refFrame
}

func (e refEntry) bytes() int { return entryBytes + len(e.rows) }

// from is what is remembered, as a flight that has landed.
func (f *refFeed) from(d int, pos shapes.Position) *refFlight {
	var chain []refEntry
	for next := pos; ; next = chain[len(chain)-1].next {
		e := find(f.ring, next)
		if e == nil {
			break
		}
		chain = append(chain, *e)
	}
	if len(chain) == 0 {
		if e := find(f.large, pos); e != nil {
			chain = append(chain, *e)
		}
	}
	if len(chain) == 0 {
		return nil
	}
	last := chain[len(chain)-1]
	known := &refFlight{feed: d, landed: true, next: last.next, upToDate: last.upToDate, frame: last.frame}
	var rows []string
	for _, e := range chain {
		rows = append(rows, e.rows)
	}
	known.rows = strings.Join(rows, ",")
	if len(chain) > 1 { // a piece of its own, as long as it is remembered
		if f.joined == nil || f.joinedFrom != pos {
			f.joined, f.joinedFrom = new(refFrame), pos
		}
		known.frame = f.joined
	}
	return known
}

// find gives the newest entry from a place.
func find(entries []refEntry, pos shapes.Position) *refEntry {
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].from == pos {
			return &entries[i]
		}
	}
	return nil
}

func (f *refFeed) keep(e refEntry) {
	if f.isGone(e.from) {
		return
	}
	if f.handle != e.from.Handle {
		f.forgetRing()
		f.handle = e.from.Handle
	}
	if e.bytes() > modelRingBytes {
		f.large = []refEntry{e}
		return
	}
	f.ring, f.joined = append(f.ring, e), nil
	for len(f.ring) > modelRing || sum(f.ring) > modelRingBytes {
		f.ring = f.ring[1:]
	}
}

func (f *refFeed) forgetRing() { f.handle, f.ring, f.large, f.joined = "", nil, nil, nil }

func sum(entries []refEntry) (bytes int) {
	for _, e := range entries {
		bytes += e.bytes()
	}
	return bytes
}

// checkRing holds what is remembered of a feed against the reference.
func (f *refFeed) checkRing(r *ring) error {
	if len(r.entries) != len(f.ring) || r.bytes != sum(f.ring) || (r.large != nil) != (len(f.large) > 0) {
		return fmt.Errorf("%d entries of %d bytes, large: %v; want %d of %d, large: %v", len(r.entries), r.bytes, r.large != nil, len(f.ring), sum(f.ring), len(f.large) > 0)
	}
	return nil
}
