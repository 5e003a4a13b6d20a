package steady

import "time"

const (
	firstPause = 250 * time.Millisecond  // the longest pause after one failure
	shapePause = 4 * time.Second         // of one shape, after many
	circuit    = time.Second             // of the whole upstream, after many
	mostRest   = 30 * time.Second        // of what an upstream may ask for
	window     = 1250 * time.Millisecond // holds at most two calls of what fails: they are a second apart where they arrive, too
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
	begun    [2]time.Time // the last two calls, the later one last
}

// pass is the leave to make one call.
type pass struct {
	shape string
	begun time.Time
	own   *gate // nil: the shape was well
	round int   // of own
	probe bool  // the call is to find out whether what failed is well again
	all   int   // the origin's round
	was   *gate // of a call that goes on failing though others succeed; or nil
}

func newGates(random func(time.Duration) time.Duration) gates {
	return gates{random: random, shapes: make(map[string]*gate), era: 1}
}

// ask gives leave for a call of a shape at this moment, or says when to ask
// again: at a time, or, if that is zero, when something has changed.
func (g *gates) ask(shape string, now time.Time) (p *pass, again time.Time) {
	own := g.shapes[shape]
	closed := make([]*gate, 0, 2)
	if own != nil {
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
	own := g.shapes[p.shape]
	counts := own == nil || own == p.own && own.round == p.round
	if own == nil {
		own = &gate{begun: [2]time.Time{{}, p.begun}}
		if p.was != nil {
			own.failures, own.begun[0] = p.was.failures, p.was.begun[1]
		}
		g.shapes[p.shape] = own
	}
	if counts {
		g.pause(own, now, rest, shapePause)
		if own.era != g.era {
			own.era = g.era
			g.failed++
		}
	}
	// Whether it counts for the shape or not, it may be what the whole upstream waits for.
	switch {
	case !g.open && g.failed >= tripAt:
		g.open = true
		g.origin.failures, g.origin.begun = 0, own.begun
	case !g.open || g.origin.round != p.all:
		return
	}
	g.pause(&g.origin, now, rest, circuit)
}

// pause ends a gate's round with a failure.
func (g *gates) pause(x *gate, now time.Time, rest, most time.Duration) {
	x.round++
	x.probing = false
	if x.failures < 8 {
		most = min(most, firstPause<<x.failures)
	}
	x.failures++
	x.rested = now.Add(min(rest, mostRest))
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
	delete(g.shapes, p.shape)
	g.era++
	g.failed = 0
	if !g.open {
		return
	}
	g.open = false
	g.origin.probing = false
	g.origin.round++
	for _, x := range g.shapes {
		if soon := later(later(now.Add(g.random(afterFault)), x.rested), x.begun[0].Add(window)); soon.Before(x.next) {
			x.next = soon
		}
	}
}

// leave takes in that a call ended without having said anything.
func (g *gates) leave(p *pass) {
	if own := g.shapes[p.shape]; own != nil && own == p.own && own.round == p.round {
		own.probing = false
	}
	if g.open && g.origin.round == p.all {
		g.origin.probing = false
	}
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
