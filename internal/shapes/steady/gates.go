package steady

import "time"

const (
	firstPause = 250 * time.Millisecond  // the longest pause after one failure
	shapePause = 4 * time.Second         // of one shape, after many
	circuit    = time.Second             // of the whole upstream, after many
	mostRest   = 30 * time.Second        // of what an upstream may ask for
	window     = 1500 * time.Millisecond // holds at most two calls of what fails: they are a second apart where they arrive, too
	trial      = 10 * time.Second        // after a failure; who succeeds meanwhile makes place at once
	tripAt     = 3                       // shapes that fail open the circuit
	afterFault = 500 * time.Millisecond  // within this the others ask when one has succeeded
	forgotten  = time.Minute             // after this a failure that nobody came back to
)

// gates decide when which call may be made. They know no clock and no chance:
// whoever asks says what time it is, and random draws.
type gates struct {
	random func(most time.Duration) time.Duration // from zero up to most
	shapes map[string]*gate                       // those that fail
	origin gate                                   // of all shapes; counts while open
	open   bool                                   // the circuit
	era    int                                    // grows with each success
	failed int                                    // shapes that failed in this era
	swept  time.Time
}

// gate is what is known of something that fails.
type gate struct {
	failures int
	round    int  // grows with each failure that counts
	era      int  // of the last one
	probing  bool // a call is out that will tell
	next     time.Time
	rested   time.Time    // until then the upstream asked to be left alone
	begun    [2]time.Time // the last two calls but those that succeeded, the later one last: when they failed, or began
	well     time.Time    // it has succeeded then, and is on trial; zero: it fails
}

// pass is the leave to make one call.
type pass struct {
	shape string
	begun time.Time
	own   *gate // nil: the shape was well
	round int   // of own
	probe bool  // the call is to find out whether what failed is well again
	all   int   // the origin's round
	waits bool  // a held call follows, if this one succeeds
}

func newGates(random func(time.Duration) time.Duration) gates {
	return gates{random: random, shapes: make(map[string]*gate), era: 1}
}

// known is what is known of a shape that fails, or is on trial. A call that succeeds does
// not undo what others failed with: that may be because of what is in their answers, which
// can be large. So the shape is let through at the pace of one that fails until it has been
// well for a while, and if it fails before, it fails on. A call that succeeds makes place for
// the next.
func (g *gates) known(shape string, now time.Time) *gate {
	x := g.shapes[shape]
	if x != nil && !x.well.IsZero() && now.Sub(x.well) >= trial {
		delete(g.shapes, shape)
		return nil
	}
	return x
}

// failing says whether the last that is known of a shape is a failure.
func (g *gates) failing(shape string) bool {
	x := g.shapes[shape]
	return x != nil && x.well.IsZero()
}

// ask gives leave for a call of a shape at this moment, or says when to ask
// again: at a time, or, if that is zero, when something has changed.
func (g *gates) ask(shape string, now time.Time) (p *pass, again time.Time) {
	own := g.known(shape, now)
	onTrial := own != nil && !own.well.IsZero()
	closed := make([]*gate, 0, 2)
	if onTrial {
		if free := own.begun[0].Add(window); now.Before(free) {
			again = free
		}
	} else if own != nil {
		closed = append(closed, own)
	}
	if g.open {
		closed = append(closed, &g.origin)
	}
	for _, x := range closed {
		if x.probing {
			return nil, time.Time{}
		}
		if now.Before(x.next) && x.next.After(again) {
			again = x.next
		}
	}
	if !again.IsZero() {
		return nil, again
	}
	for _, x := range closed {
		x.probing = true
		x.begun = [2]time.Time{x.begun[1], now}
	}
	if onTrial {
		own.begun = [2]time.Time{own.begun[1], now}
	}
	p = &pass{shape: shape, begun: now, own: own, all: g.origin.round, probe: len(closed) > 0}
	if own != nil {
		p.round = own.round
	}
	return p, time.Time{}
}

// fail takes in that a call failed, and for how long the upstream wants to be left
// alone. Of several calls that were out at the same time one counts.
func (g *gates) fail(p *pass, now time.Time, rest time.Duration) {
	g.sweep(now)
	own := g.known(p.shape, now)
	if own == nil {
		own = &gate{begun: [2]time.Time{{}, p.begun}}
		g.shapes[p.shape] = own
		p.own = own
		p.round = own.round
	}
	counts := !own.well.IsZero() || own == p.own && own.round == p.round
	if counts || p.begun.Equal(own.begun[0]) || p.begun.Equal(own.begun[1]) {
		own.spare(p.begun)
		own.note(now)
	}
	own.well = time.Time{}
	own.rest(now, rest)
	if counts {
		g.pause(own, now, shapePause)
		if own.era != g.era {
			own.era = g.era
			g.failed++
		}
	}
	// Whether it counts for the shape or not, it may be what the whole upstream waits for.
	opens := !g.open && g.failed >= tripAt
	if opens {
		g.open = true
		g.origin.failures, g.origin.begun = 0, own.begun
	}
	if g.open {
		g.origin.rest(now, rest)
	}
	if opens || g.open && g.origin.round == p.all {
		g.origin.spare(p.begun)
		g.origin.note(now)
		g.pause(&g.origin, now, circuit)
	}
}

// rest has the upstream left alone for as long as it wants to be, whichever call it was that
// it said so to.
func (x *gate) rest(now time.Time, wants time.Duration) {
	x.rested = later(x.rested, now.Add(min(wants, mostRest)))
	x.next = later(x.next, x.rested)
}

// note has a call count from now on. (Of one that has failed nobody knows when it was sent:
// between leave and the wire a busy machine can let pass a second.)
func (x *gate) note(now time.Time) { x.begun = [2]time.Time{x.begun[1], now} }

// spare has a call not count that began then.
func (x *gate) spare(begun time.Time) {
	switch {
	case begun.Equal(x.begun[1]):
		x.begun = [2]time.Time{{}, x.begun[0]}
	case begun.Equal(x.begun[0]):
		x.begun[0] = time.Time{}
	}
}

// pause ends a gate's round with a failure.
func (g *gates) pause(x *gate, now time.Time, most time.Duration) {
	x.round++
	x.probing = false
	if x.failures < 8 {
		most = min(most, firstPause<<x.failures)
	}
	x.failures++
	x.next = later(later(now.Add(g.random(most)), x.rested), x.begun[0].Add(window))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// succeed takes in that a call brought something, or seems to be held. Whatever
// else fails is worth another try, though not all at the same moment, and not before the
// upstream wants it.
func (g *gates) succeed(p *pass, now time.Time) {
	g.sweep(now)
	if own := g.known(p.shape, now); own != nil {
		if own.well.IsZero() {
			own.well = now
			own.probing = false
			own.round++
		}
		own.spare(p.begun)
		if p.waits { // and that is the call that counts
			p.begun = now
			own.note(now)
		}
	}
	g.era++
	g.failed = 0
	if !g.open {
		return
	}
	g.open = false
	g.origin.probing = false
	g.origin.round++
	for _, x := range g.shapes {
		if !x.well.IsZero() {
			continue
		}
		if soon := later(later(now.Add(g.random(afterFault)), x.rested), x.begun[0].Add(window)); soon.Before(x.next) {
			x.next = soon
		}
	}
}

// leave takes in that a call ended without having said anything. It was made all the same:
// callers who come and go may not ask more often than those who stay.
func (g *gates) leave(p *pass) {
	if own := g.shapes[p.shape]; own != nil && own == p.own && own.round == p.round {
		own.left()
	}
	if g.open && g.origin.round == p.all {
		g.origin.left()
	}
}

func (x *gate) left() {
	x.probing = false
	x.next = later(x.next, x.begun[0].Add(window))
}

// sweep forgets failures that nobody came back to.
func (g *gates) sweep(now time.Time) {
	if now.Sub(g.swept) < forgotten {
		return
	}
	g.swept = now
	for shape, x := range g.shapes {
		if !x.probing && now.Sub(x.next) > forgotten {
			delete(g.shapes, shape)
		}
	}
}
