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

// Some readers come and go at a few places of two shapes, while the upstream
// does what upstreams do. After every step the group is held against a
// reference that knows no timers, contexts and locks: which flights are in the
// air, since when, and who sits in them.

const places = 4

// place i is one of two shapes, at one of two positions.
func place(i int) (*shapes.Definition, shapes.Position) {
	environment := []string{"a", "b"}[i%2]
	return shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("runtimeEnvironmentId", environment)), at(uint64(i/2 + 1))
}

// placeOf says at which place a call began: answers move it within its Tx.
func placeOf(c *call) int {
	for i := range places {
		if def, pos := place(i); c.query == def.Query() && c.pos.Offset.Tx == pos.Offset.Tx {
			return i
		}
	}
	return -1
}

// refFlight is a flight of the reference.
type refFlight struct {
	due       time.Time // when its call is asked, or asked again
	asked     time.Time
	pos       shapes.Position // where it is asked
	sitting   int
	emptied   time.Time    // when the last reader left, if nobody sits in it
	first     *shapes.News // an unfinished answer, being completed
	firstAt   time.Time
	landed    bool
	rows      string
	err       error
	completed bool
}

type refTicket struct {
	ticket *Ticket
	flight *refFlight
	left   bool
}

// again gives back what was given back already, or is of no use any more.
func (t *refTicket) again() {
	if t.left || t.flight.landed {
		t.left = true
		t.ticket.Leave()
	}
}

type model struct {
	group   *Group
	script  *script
	closed  bool
	closing time.Duration // how long Close took
	flights [places]*refFlight
	tickets []*refTicket
	calls   []*call // not yet answered, as far as known
	serial  int
}

// step is one thing that happens: what, to whom, and how.
type step struct{ What, Whom, How int }

func drawStep(t *rapid.T) step {
	return step{rapid.IntRange(0, 30).Draw(t, "what"), rapid.IntRange(0, 50).Draw(t, "whom"), rapid.IntRange(0, 5).Draw(t, "how")}
}

func (m *model) take(s step) {
	switch {
	case s.What < 10:
		m.join(s.Whom % places * (s.How % 2)) // more often at the first
	case s.What < 18 && len(m.tickets) > 0:
		m.leave(s.Whom)
	case s.What < 22 && len(m.calls) > 0:
		m.answer(s.Whom%len(m.calls), s.How)
	case s.What < 30:
		time.Sleep([]time.Duration{71, 97, 433, 1103, 2903, 20011}[s.How] * time.Millisecond)
	case s.What == 30 && s.Whom < 5:
		m.close()
	}
}

func (m *model) join(i int) {
	def, pos := place(i)
	ticket := m.group.Join(def, pos)
	if m.flights[i] == nil {
		m.flights[i] = &refFlight{due: time.Now(), pos: pos}
	}
	f := m.flights[i]
	if m.closed {
		f = &refFlight{landed: true, err: errClosed}
		m.flights[i] = nil
	}
	f.sitting++
	m.tickets = append(m.tickets, &refTicket{ticket: ticket, flight: f})
}

// leave gives back a ticket that is held, and one that was given back before.
func (m *model) leave(whom int) {
	m.tickets[whom%len(m.tickets)].again()
	var held []*refTicket
	for _, t := range m.tickets {
		if !t.left && !t.flight.landed {
			held = append(held, t)
		}
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

func (m *model) land(i int, rows string, err error) {
	f := m.flights[i]
	f.landed, f.rows, f.err = true, rows, err
	m.flights[i] = nil
}

func (m *model) answer(n, how int) {
	c := m.calls[n]
	m.calls = append(m.calls[:n:n], m.calls[n+1:]...)
	i := placeOf(c)
	f := m.flights[i]
	m.serial++
	rows := fmt.Sprintf(`{"key":"%d","headers":{"operation":"insert"}}`, m.serial)
	next := shapes.Position{Handle: "h", Offset: shapes.LogOffset(c.pos.Offset.Tx, c.pos.Offset.Op+1)}
	if !c.live {
		if how < 3 {
			c.reply <- reply{page: &shapes.Page{Next: next, Messages: shapes.NewBytesScanner([]byte("[" + rows + `,{"headers":{"control":"up-to-date"}}]`)), Close: func() error { return nil }}}
			f.completed = true
			m.land(i, string(f.first.Rows)+","+rows, nil)
		} else {
			c.reply <- reply{err: &shapes.Unavailable{Err: errors.New("down")}}
			m.land(i, string(f.first.Rows), nil)
		}
		return
	}
	switch how {
	case 0, 1:
		c.reply <- reply{news: &shapes.News{Next: next, Batch: shapes.Batch{Rows: []byte(rows), Count: 1, UpToDate: true}}}
		f.completed = true
		m.land(i, rows, nil)
	case 2:
		f.first = &shapes.News{Next: next, Batch: shapes.Batch{Rows: []byte(rows), Count: 1}}
		f.firstAt, f.pos = time.Now(), next
		c.reply <- reply{news: f.first}
	case 3: // silence in place: not asked again too soon
		c.reply <- reply{news: &shapes.News{Next: c.pos, Batch: shapes.Batch{UpToDate: true}}}
		if f.due = f.asked.Add(minRound); f.due.Before(time.Now()) {
			f.due = time.Now()
		}
	case 4: // silence that moves
		c.reply <- reply{news: &shapes.News{Next: next, Batch: shapes.Batch{UpToDate: true}}}
		f.due, f.pos = time.Now(), next
	case 5:
		err := &shapes.Rotated{Handle: fmt.Sprint(m.serial)}
		c.reply <- reply{err: err}
		m.land(i, "", err)
	}
}

func (m *model) close() {
	asked := time.Now()
	m.group.Close()
	m.closed, m.closing = true, time.Since(asked)
	for i, f := range m.flights {
		switch {
		case f == nil:
		case f.first != nil:
			m.land(i, string(f.first.Rows), nil)
		default:
			m.land(i, "", errClosed)
		}
	}
}

// elapse lets the reference do what is due by now.
func (m *model) elapse() {
	for i, f := range m.flights {
		switch {
		case f == nil:
		case f.first != nil && time.Since(f.firstAt) >= 100*time.Millisecond:
			m.land(i, string(f.first.Rows), nil)
		case f.sitting == 0 && time.Since(f.emptied) >= 3*time.Second:
			m.flights[i] = nil
		case f.first == nil && !time.Now().Before(f.due) && f.asked.Before(f.due):
			f.asked = f.due
		}
	}
}

// check holds the group against the reference.
func (m *model) check() error {
	if m.closing > 0 {
		return fmt.Errorf("Close waited %v", m.closing)
	}
	m.calls = append(m.calls, m.script.pending()...)
	m.elapse()
	var open [places]int
	still := m.calls[:0:0]
	for _, c := range m.calls {
		if c.ctx.Err() != nil {
			continue
		}
		still = append(still, c)
		i := placeOf(c)
		if i < 0 {
			return fmt.Errorf("a call for %s at %v, where nobody is", c.query, c.pos)
		}
		open[i]++
		if f := m.flights[i]; f != nil && (c.pos != f.pos || c.live != (f.first == nil)) {
			return fmt.Errorf("a call at place %d asks at %v, live %v; want %v", i, c.pos, c.live, f.pos)
		}
	}
	m.calls = still
	for i, f := range m.flights {
		want := 0
		if f != nil && (f.first != nil || !f.due.After(time.Now())) {
			want = 1
		}
		if open[i] != want {
			return fmt.Errorf("%d calls are open at place %d, want %d", open[i], i, want)
		}
	}
	for n, t := range m.tickets {
		if t.left && !t.flight.landed {
			continue // nobody looks
		}
		if landed(t.ticket) != t.flight.landed {
			return fmt.Errorf("ticket %d: landed is %v", n, !t.flight.landed)
		}
		if !t.flight.landed {
			continue
		}
		news, err := t.ticket.Result()
		if t.flight.err != nil {
			if err != t.flight.err || news != nil {
				return fmt.Errorf("ticket %d: got %v, %v; want %v", n, news, err, t.flight.err)
			}
		} else if err != nil || string(news.Rows) != t.flight.rows || news.UpToDate != t.flight.completed {
			return fmt.Errorf("ticket %d: got %+v, %v; want %s", n, news, err, t.flight.rows)
		}
	}
	return nil
}

// run takes steps and says where the group and the reference part.
func run(t *testing.T, steps []step) (failed error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := &model{script: s, group: New(Config{Source: s})}
		for n, step := range steps {
			m.take(step)
			if failed = m.check(); failed != nil {
				failed = fmt.Errorf("after step %d, %+v: %w", n, step, failed)
				break
			}
		}
		m.close()
		if err := m.check(); failed == nil && err != nil {
			failed = fmt.Errorf("after closing: %w", err)
		}
	})
	return failed
}

func TestFlightsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if err := run(t, rapid.SliceOfN(rapid.Custom(drawStep), 10, 100).Draw(rt, "steps")); err != nil {
			rt.Fatal(err)
		}
	})
}

// A reader who comes back within the linger and leaves again leaves a whole
// linger behind. Chance does not meet this often.
func TestEveryLeaveStartsTheLingerAnew(t *testing.T) {
	join, leave, second, almostThree := step{}, step{What: 10}, step{What: 22, How: 3}, step{What: 22, How: 4}
	if err := run(t, []step{join, leave, second, join, leave, almostThree, second}); err != nil {
		t.Error(err)
	}
}
