package flight

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Some readers come and go at a few places of a few shapes of two environments, while
// the upstream does what upstreams do. After every step the group is held against a
// reference that knows no timers, contexts and locks: who asks what since when, what is
// remembered, and what each environment has (model_ref_test.go). What readers are told, and
// how it is framed, is in model_late_test.go, their reads are in model_read_test.go.

const (
	modelFeeds  = 5 // the last is of an environment of its own
	modelPlaces = 3 // of each
	modelRing   = 3
	modelShare  = 512 // bytes of a body
	modelShared = 3   // bodies

	modelRingBytes = 2*entryBytes + 500
)

var modelLimits = PerEnvironment{Definitions: 3, Calls: 5, Beginnings: 2, NewPerSecond: 0.25}

func modelFeed(d int) *shapes.Definition {
	if d == modelFeeds-1 {
		return feed("b", d)
	}
	return feed("a", d)
}

// step is one thing that happens: what, to whom, and how.
type step struct{ What, Whom, How int }

func drawStep(t *rapid.T) step {
	return step{rapid.IntRange(0, 63).Draw(t, "what"), rapid.IntRange(0, 50).Draw(t, "whom"), rapid.IntRange(0, 5).Draw(t, "how")}
}

func (m *model) take(s step) {
	feed, place := []int{0, 0, 0, 1, 1, 2, 3, 4}[s.Whom%8], s.Whom/8%modelPlaces // more often the first
	switch {
	case s.What < 10:
		m.join(feed, m.at(feed, place, s.How), s.How > 2, tails[s.How%2])
	case s.What < 17:
		m.leave(s.Whom)
	case s.What < 27 && len(m.calls) > 0:
		m.answer(s.Whom%len(m.calls), s.How)
	case s.What < 33:
		time.Sleep([]time.Duration{71, 97, 433, 1103, 2903, 20011}[s.How] * time.Millisecond)
	case s.What < 42:
		pos := m.at(feed, place, s.How)
		if s.How%2 == 0 {
			pos = start
		}
		m.read(feed, pos)
	case s.What < 45:
		m.leaveRead(s.Whom)
	case s.What < 50:
		m.closePage(s.Whom)
	case s.What > 56:
		m.grow(feed, s.How, tails[s.Whom%2])
	case s.What > 50:
		m.takeLate(s.Whom)
	case s.Whom < 5:
		m.close()
	}
}

// at is a place of a feed, mostly of the handle that it has now.
func (m *model) at(feed, place, how int) shapes.Position {
	handle := m.feeds[feed].rotations
	if how == 4 {
		handle = max(handle-1, 0)
	}
	return shapes.Position{Handle: fmt.Sprintf("h%d", handle), Offset: shapes.LogOffset(1, uint32(place*100))}
}

// behind is the next place, and onWay a position before it.
func behind(pos shapes.Position) shapes.Position {
	pos.Offset.Op = (pos.Offset.Op/100 + 1) * 100
	return pos
}

func onWay(pos shapes.Position) shapes.Position {
	pos.Offset.Op++
	return pos
}

func (m *model) join(d int, pos shapes.Position, late bool, tail string) {
	ticket := m.group.Join(modelFeed(d), pos)
	m.tickets = append(m.tickets, &refTicket{ticket: ticket, flight: m.seat(d, pos), late: late, tail: tail})
}

// leave gives back a ticket that is held, and one that was given back before.
func (m *model) leave(whom int) {
	var held []*refTicket
	for i, t := range m.tickets {
		if t.left || t.flight.landed {
			if i == whom%len(m.tickets) {
				t.left = true
				t.ticket.Leave()
			}
			continue
		}
		held = append(held, t)
	}
	if len(held) == 0 {
		return
	}
	t := held[whom%len(held)]
	t.ticket.Leave()
	t.left = true
	if t.flight.sitting--; t.flight.sitting == 0 {
		t.flight.emptied = time.Now()
	}
}

// answer answers a call that is open.
func (m *model) answer(n, how int) {
	c := m.calls[n]
	m.calls = append(m.calls[:n:n], m.calls[n+1:]...)
	m.serial++
	if id, ok := c.ctx.Value(readerID{}).(int); ok {
		m.answerRead(c, m.callOf(id), how)
		return
	}
	f := m.flightOf(c)
	rows := m.row()
	if !c.live {
		if how < 3 {
			c.reply <- reply{page: &shapes.Page{Next: behind(c.pos), Messages: shapes.NewBytesScanner([]byte("[" + rows + `,{"headers":{"control":"up-to-date"}}]`)), Close: func() error { return nil }}}
			f.rows, f.next, f.upToDate = f.rows+","+rows, behind(c.pos), true
		} else {
			c.reply <- reply{err: &shapes.Unavailable{Err: errors.New("down")}}
		}
		m.land(f, nil, time.Now())
		return
	}
	switch how {
	case 0, 1:
		c.reply <- reply{news: &shapes.News{Next: behind(c.pos), Batch: shapes.Batch{Rows: []byte(rows), Count: 1, UpToDate: true}}}
		f.rows, f.next, f.upToDate = rows, behind(c.pos), true
		m.land(f, nil, time.Now())
	case 2:
		c.reply <- reply{news: &shapes.News{Next: onWay(c.pos), Batch: shapes.Batch{Rows: []byte(rows), Count: 1}}}
		f.rows, f.next = rows, onWay(c.pos)
		if !m.gone(f.feed, f.next) && m.mayCall(f.feed, c.pos) {
			f.completing, f.firstAt, f.asks = true, time.Now(), f.next
			m.ask(f.feed, f.next, 1, time.Now())
		} else {
			m.land(f, nil, time.Now())
		}
	case 3: // silence in place: not asked again too soon
		c.reply <- reply{news: &shapes.News{Next: c.pos, Batch: shapes.Batch{UpToDate: true}}}
		f.rounds = max(f.rounds, 1)
		f.again()
	case 4: // silence that moves
		c.reply <- reply{news: &shapes.News{Next: onWay(c.pos), Batch: shapes.Batch{UpToDate: true}}}
		f.asks = onWay(c.pos)
		f.again()
	case 5:
		err := m.rotated()
		c.reply <- reply{err: err}
		m.rotate(f.feed, f.pos, err)
		m.land(f, err, time.Now())
	}
}

// check holds the group against the reference.
func (m *model) check() error {
	if m.closing > 0 {
		return fmt.Errorf("Close waited %v", m.closing)
	}
	m.calls = append(m.calls, m.script.pending()...)
	m.elapse()
	if err := m.settleAlone(); err != nil {
		return err
	}
	m.calls = append(m.calls, m.script.pending()...)
	still := m.calls[:0:0]
	open := map[any]int{} // by whom a call is for
	for _, c := range m.calls {
		if c.ctx.Err() != nil {
			continue
		}
		still = append(still, c)
		if id, ok := c.ctx.Value(readerID{}).(int); ok {
			call := m.callOf(id)
			if call == nil || c.live || c.pos != call.pos || c.query != modelFeed(call.feed).Query() {
				return fmt.Errorf("a call of reader %d at %v: %+v", id, c.pos, call)
			}
			open[call]++
			continue
		}
		f := m.flightOf(c)
		if f == nil || c.pos != f.asks || c.live == f.completing {
			return fmt.Errorf("a call at %v, live %v, of flight %+v", c.pos, c.live, f)
		}
		open[f]++
	}
	m.calls = still
	for _, f := range m.flights {
		if want := f.completing || !f.due.After(time.Now()); open[f] != number(want) {
			return fmt.Errorf("%d calls are open for flight %+v", open[f], f)
		}
	}
	for _, call := range m.reads {
		if open[call] != 1 {
			return fmt.Errorf("%d calls are open for read %+v", open[call], call)
		}
	}
	for n, t := range m.tickets {
		if err := t.check(); err != nil {
			return fmt.Errorf("ticket %d: %w", n, err)
		}
	}
	for n, r := range m.readers {
		if err := r.check(); err != nil {
			return fmt.Errorf("reader %d, of feed %d at %v: %w", n, r.feed, r.pos, err)
		}
	}
	return m.checkSums()
}

// run takes steps and says where the group and the reference part.
func run(t *testing.T, steps []step) (failed error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := newModel(t, s)
		for n, step := range steps {
			m.step = n
			m.take(step)
			if failed = m.check(); failed != nil {
				failed = fmt.Errorf("after step %d, %+v: %w", n, step, failed)
				break
			}
		}
		m.close()
		m.lookAtAll()
		if err := m.check(); failed == nil && err != nil {
			failed = fmt.Errorf("after closing: %w", err)
		}
		for _, r := range m.readers {
			r.leave()
		}
	})
	return failed
}

func TestFlightsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if err := run(t, rapid.SliceOfN(rapid.Custom(drawStep), 10, 150).Draw(rt, "steps")); err != nil {
			rt.Fatal(err)
		}
	})
}

// A reader who comes back within the linger and leaves again leaves a whole
// linger behind. Chance does not meet this often.
func TestEveryLeaveStartsTheLingerAnew(t *testing.T) {
	join, leave, second, almostThree := step{}, step{What: 10}, step{What: 27, How: 3}, step{What: 27, How: 4}
	if err := run(t, []step{join, leave, second, join, leave, almostThree, second}); err != nil {
		t.Error(err)
	}
}

// A body that is closed after the group leaves no timer behind, if there was none before.
// Chance does not meet this often either.
func TestNothingIsGivenUpAfterClosing(t *testing.T) {
	read, answer, closing, closePage, twenty := step{What: 33}, step{What: 17, How: 2}, step{What: 50}, step{What: 45}, step{What: 27, How: 5}
	if err := run(t, []step{read, answer, closing, closePage, twenty}); err != nil {
		t.Error(err)
	}
}
