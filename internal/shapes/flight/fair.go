package flight

import (
	"cmp"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// PerEnvironment is what one environment may have at the same time, so that the
// others do not notice what it does. Past it its readers get *shapes.Limited.
type PerEnvironment struct {
	// Definitions somebody asks about, or has until a moment ago (Config.Keep).
	// Default 5,000.
	Definitions int
	// Calls to the upstream: flights in the air, and reads. Default 4,000, half of
	// what an upstream is asked for at most.
	Calls int
	// Beginnings are the calls among them that read a shape from its beginning.
	// Default 120, half of what an upstream is asked for at most.
	Beginnings int
	// NewPerSecond is how many definitions may be begun in a second that were not
	// known, with what was not used of the last 10 s (or Config.Keep, if that is
	// longer): for each the upstream may
	// have to make a shape, which takes Electric 18 ms. Who goes on from a place that
	// it has does not count: after a restart of this gateway that is everybody.
	// Default 25.
	NewPerSecond float64
}

func (p *PerEnvironment) setDefaults() {
	p.Definitions = cmp.Or(p.Definitions, 5000)
	p.Calls = cmp.Or(p.Calls, 4000)
	p.Beginnings = cmp.Or(p.Beginnings, 120)
	p.NewPerSecond = cmp.Or(p.NewPerSecond, 25)
}

// environment counts what an environment has. It is known while one of its shapes is.
// Its tokens may be forgotten with it: a shape is known for Config.Keep after it was
// begun, and if that is not shorter than its default, all tokens have come back by then,
// but for what it owes (take).
type environment struct {
	id         string
	shapes     int
	calls      int
	beginnings int
	spent      float64   // tokens for new definitions, as of then
	then       time.Time // zero: never
}

// unused is for how long an environment saves what it does not begin.
const unused = 10 * time.Second

// need is what somebody needs of an environment who has one or several things to ask.
type need struct {
	calls      int
	beginnings int // of the calls
	shapes     int // that are not known yet
	begun      int // of the shapes, by a beginning
}

// add adds a call.
func (n *need) add(begins, known bool) {
	n.calls++
	n.beginnings += number(begins)
	n.shapes += number(!known)
	n.begun += number(begins && !known)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// take takes all that is needed, or nothing: whoever is refused one half of a feed has no
// use for the other, and must not use up what others of the environment may have.
//
// What is begun together is let in with the first token there is, and the others are owed.
// If it had to find them all there at once, it would find none beside many who begin one
// thing each.
func (e *environment) take(n need, p *PerEnvironment, keep time.Duration) error {
	switch { // a bound that is less than one feed needs lets one in
	case e.shapes+n.shapes > max(p.Definitions, n.shapes):
		return &shapes.Limited{What: "different feeds", RetryAfter: max(keep, time.Second)}
	case e.calls+n.calls > max(p.Calls, n.calls):
		return &shapes.Limited{What: "calls to the upstream", RetryAfter: time.Second}
	case e.beginnings+n.beginnings > max(p.Beginnings, n.beginnings):
		return &shapes.Limited{What: "feeds that are being read from their beginning", RetryAfter: time.Second}
	}
	if n.begun > 0 {
		now := time.Now()
		burst := max(p.NewPerSecond*max(keep, unused).Seconds(), 1)
		spent := max(e.spent-now.Sub(e.then).Seconds()*p.NewPerSecond, 0)
		if over := spent + 1 - burst; over > 0 {
			return &shapes.Limited{What: "new feeds", RetryAfter: time.Duration(over / p.NewPerSecond * float64(time.Second))}
		}
		e.spent, e.then = spent+float64(n.begun), now
	}
	e.shapes += n.shapes
	e.calls += n.calls
	e.beginnings += n.beginnings
	return nil
}

// called gives a call back.
func (e *environment) called(begins bool) {
	e.calls--
	e.beginnings -= number(begins)
}
