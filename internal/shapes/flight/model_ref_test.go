package flight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// refFeed is what the reference knows of a feed.
type refFeed struct {
	rotations  int // the handle that it has now
	known      bool
	asking     int       // calls that are out for it
	idle       time.Time // since when none is
	handle     string    // of the ring
	gone       string
	how        *shapes.Rotated // with which it went
	beyond     shapes.Offset   // if it is out of bounds, where
	ring       []refEntry
	large      []refEntry // at most one
	joined     *refFrame  // of the several pieces that were told as one
	joinedFrom shapes.Position
}

// refEnvironment is what an environment has. next is when its next new feed were due if
// they came evenly.
type refEnvironment struct {
	feeds, calls, beginnings int
	next                     time.Time
}

// refFlight is a flight of the reference.
type refFlight struct {
	feed       int
	pos        shapes.Position
	due        time.Time // when its call is asked, or asked again
	asked      time.Time
	rounds     int             // calls that were renewed too soon, or more if one led nowhere
	asks       shapes.Position // where
	sitting    int
	emptied    time.Time // when the last reader left, if nobody sits in it
	completing bool      // an unfinished answer
	firstAt    time.Time
	landed     bool
	rows       string
	frame      *refFrame
	next       shapes.Position
	upToDate   bool
	err        error
	limited    bool
}

// again is when the call is renewed after an answer without rows: too soon only once, if
// that answer led on.
func (f *refFlight) again() {
	f.due = time.Now()
	soonest := f.asked.Add(pace.Least)
	if f.rounds++; !soonest.After(f.due) {
		f.rounds = 0
	} else if f.rounds > 1 {
		f.due = soonest
	}
}

// refCall is a read that is out, by the reader for whose request it was made.
type refCall struct {
	feed        int
	pos         shapes.Position
	leader      *refReader
	alone       bool
	sent        int // in which step
	early, late []*refReader
	lateLeader  *refReader // the first of those, here or gone
}

// refBody is a body that readers have.
type refBody struct {
	rows     string
	upToDate bool
	whole    bool
	held     int  // bytes of it that are held to be shared
	stream   bool // its call is out until it is closed
	readers  int
	sent     int
	feed     int
	pos      shapes.Position
}

type refReader struct {
	*reader
	id      int
	feed    int
	pos     shapes.Position
	came    int // in which step
	waits   bool
	alone   bool // has to read alone, and nobody knows yet whether it may
	got     *refBody
	closed  bool
	want    error
	limited bool
}

type readerID struct{}

type model struct {
	t            *testing.T
	group        *Group
	script       *script
	closed       bool
	closing      time.Duration // how long Close took
	feeds        [modelFeeds]refFeed
	environments [2]refEnvironment
	flights      []*refFlight // in the air
	tickets      []*refTicket
	reads        []*refCall
	readers      []*refReader
	held         int     // bytes of bodies
	calls        []*call // not yet answered, as far as known
	serial, step int
}

func newModel(t *testing.T, s *script) *model {
	return &model{t: t, script: s, group: New(Config{
		Source: s, RingEntries: modelRing, RingBytes: modelRingBytes, ShareBytes: modelShare, AllShareBytes: modelShared * modelShare, PerEnvironment: modelLimits,
	})}
}

func (m *model) environment(d int) *refEnvironment { return &m.environments[d/(modelFeeds-1)] }

// know makes a feed known, if its environment may have it and a call for it, and takes
// note that somebody asked about it.
func (m *model) know(d int, pos shapes.Position) bool {
	f, e, now := &m.feeds[d], m.environment(d), time.Now()
	if !f.known {
		if !m.mayCall(d, pos) {
			return false
		}
		next := e.next
		if next.Before(now) {
			next = now
		}
		next = next.Add(4 * time.Second)
		if e.feeds == modelLimits.Definitions || pos == start && next.Sub(now) > 10*time.Second {
			return false
		}
		if pos == start {
			e.next = next
		}
		e.feeds++
		*f = refFeed{known: true, rotations: f.rotations}
	}
	f.idle = now
	return true
}

func (m *model) mayCall(d int, pos shapes.Position) bool {
	e := m.environment(d)
	return e.calls < modelLimits.Calls && (pos != start || e.beginnings < modelLimits.Beginnings)
}

// ask counts a call that goes out, or, with n of -1, has ended.
func (m *model) ask(d int, pos shapes.Position, n int, when time.Time) {
	e, f := m.environment(d), &m.feeds[d]
	e.calls += n
	if pos == start {
		e.beginnings += n
	}
	f.asking += n
	f.idle = when
}

// seat is where a reader who joins now sits.
func (m *model) seat(d int, pos shapes.Position) *refFlight {
	if m.closed {
		return &refFlight{landed: true, err: errClosed}
	}
	if !m.know(d, pos) {
		return &refFlight{landed: true, limited: true}
	}
	for _, f := range m.flights {
		if f.feed == d && f.pos == pos {
			f.sitting++
			return f
		}
	}
	if m.gone(d, pos) {
		return &refFlight{landed: true, err: m.feeds[d].how}
	}
	if known := m.feeds[d].from(d, pos); known != nil {
		return known
	}
	if !m.mayCall(d, pos) {
		return &refFlight{landed: true, limited: true}
	}
	m.ask(d, pos, 1, time.Now())
	f := &refFlight{feed: d, pos: pos, asks: pos, due: time.Now(), sitting: 1, frame: new(refFrame)}
	m.flights = append(m.flights, f)
	return f
}

// gone says that a place is known to be rotated.
func (m *model) gone(d int, pos shapes.Position) bool {
	return pos != start && m.feeds[d].isGone(pos)
}

func (f *refFeed) isGone(pos shapes.Position) bool {
	return f.gone == pos.Handle && f.how != nil && (!f.how.OutOfBounds || pos.Offset == f.beyond)
}

// rotated is what the upstream says of a place that is gone: half of them are only beyond
// its log.
func (m *model) rotated() *shapes.Rotated {
	return &shapes.Rotated{Handle: fmt.Sprint(m.serial), OutOfBounds: m.serial%2 == 0}
}

func (m *model) rotate(d int, pos shapes.Position, how *shapes.Rotated) {
	f := &m.feeds[d]
	if f.handle == pos.Handle {
		f.forgetRing()
	}
	if f.gone != pos.Handle || f.how.OutOfBounds {
		f.gone, f.how, f.beyond = pos.Handle, how, pos.Offset
	}
	if !how.OutOfBounds && pos.Handle == fmt.Sprintf("h%d", f.rotations) {
		f.rotations++
	}
}

// named takes in how far the log goes.
func (f *refFeed) named(next shapes.Position) {
	if f.gone == next.Handle && f.how != nil && f.how.OutOfBounds && next.Offset.Compare(f.beyond) >= 0 {
		f.gone, f.how = "", nil
	}
}

// land takes a flight out of the air: with news, an error, or, if there is neither, what
// was brought so far.
func (m *model) land(f *refFlight, err error, when time.Time) {
	f.landed, f.err = true, err
	m.ground(f, when)
	if err == nil {
		m.feeds[f.feed].named(f.next)
		m.feeds[f.feed].keep(refEntry{f.pos, f.next, f.rows, f.upToDate, f.frame})
	}
}

func (m *model) ground(f *refFlight, when time.Time) {
	if f.completing {
		m.ask(f.feed, f.pos, -1, when)
	}
	f.completing = false
	m.ask(f.feed, f.pos, -1, when)
	m.flights = slices.DeleteFunc(m.flights, func(x *refFlight) bool { return x == f })
}

func (m *model) flightOf(c *call) *refFlight {
	for _, f := range m.flights {
		if modelFeed(f.feed).Query() == c.query && f.pos.Handle == c.pos.Handle && f.pos.Offset.Op/100 == c.pos.Offset.Op/100 {
			return f
		}
	}
	return nil
}

func (m *model) close() {
	asked := time.Now()
	m.group.Close()
	m.closed, m.closing = true, time.Since(asked)
	for _, f := range slices.Clone(m.flights) {
		if f.completing {
			m.land(f, nil, asked)
		} else {
			m.land(f, errClosed, asked)
		}
	}
	for _, c := range slices.Clone(m.reads) {
		if !c.alone { // those are their readers'
			m.endCall(c)
			for _, r := range append(c.early, c.late...) {
				r.waits, r.want = false, errClosed
			}
		}
	}
}

// elapse lets the reference do what is due by now, one thing after another.
func (m *model) elapse() {
	for {
		var first func()
		var when time.Time
		due := func(at time.Time, do func()) {
			if !at.After(time.Now()) && (first == nil || at.Before(when)) {
				first, when = do, at
			}
		}
		for _, f := range m.flights {
			if f.completing {
				at := f.firstAt.Add(100 * time.Millisecond)
				due(at, func() { m.land(f, nil, at) })
			}
			if f.sitting == 0 {
				at := f.emptied.Add(3 * time.Second)
				due(at, func() { m.ground(f, at) })
			}
			if !f.completing && f.asked.Before(f.due) {
				at := f.due
				due(at, func() { f.asked = at })
			}
		}
		for d := range m.feeds {
			if f := &m.feeds[d]; f.known && f.asking == 0 && !m.closed {
				due(f.idle.Add(10*time.Second), func() {
					*f = refFeed{rotations: f.rotations}
					m.environment(d).feeds--
				})
			}
		}
		if first == nil {
			return
		}
		first()
	}
}

// checkSums holds what the group counts against the reference.
func (m *model) checkSums() error {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if got, want := m.group.shareHeld.Load(), int64(m.held); got != want {
		return fmt.Errorf("%d bytes are held to be shared, want %d", got, want)
	}
	if got := m.group.inAir; got != len(m.flights) {
		return fmt.Errorf("%d flights are in the air, want %d", got, len(m.flights))
	}
	remembered := 0
	for d := range m.feeds {
		s, f := m.group.shapes[modelFeed(d).Query()], &m.feeds[d]
		if (s != nil) != f.known {
			return fmt.Errorf("feed %d is known as %+v, want %+v", d, s, f)
		}
		remembered += sum(f.ring) + sum(f.large)
		if s != nil {
			if err := f.checkRing(&s.ring); err != nil {
				return fmt.Errorf("of feed %d there are %w", d, err)
			}
		}
	}
	if got := m.group.store.bytes; got != remembered {
		return fmt.Errorf("%d bytes are remembered, want %d", got, remembered)
	}
	for i, want := range m.environments {
		got := m.group.environments[[]string{"a", "b"}[i]]
		if got == nil {
			got = &environment{}
		}
		if got.shapes != want.feeds || got.calls != want.calls || got.beginnings != want.beginnings {
			return fmt.Errorf("environment %d has %+v, want %+v", i, got, want)
		}
	}
	return nil
}

var errDown = &shapes.Unavailable{Err: errors.New("down")}

func (m *model) withID(id int) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithValue(m.t.Context(), readerID{}, id))
}
