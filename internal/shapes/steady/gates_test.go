package steady

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// outage is some callers of some shapes, one after the other in simulated time,
// at an upstream that fails from begin to end for those shapes that are hit.
type outage struct {
	shapes, callers int
	hit             func(shape int) bool
	partly          bool // every other call succeeds meanwhile
	lasts           time.Duration
	takes           time.Duration        // until a call has failed
	rest            func() time.Duration // the upstream's Retry-After; nil: none
	leaves          func() bool          // that a caller leaves before its call has failed; nil: never
}

// play gives when calls of each shape began that was known to fail (those that failed, if it
// is partly well), when each got its first success after that, and how often one that fails was
// asked while the upstream wanted to be left alone.
func (o outage) play(random func(time.Duration) time.Duration) (begun map[string][]time.Time, well map[string]time.Time, restless int) {
	type flying struct {
		p    *pass
		ends time.Time
	}
	g := newGates(random)
	start := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	end := start.Add(o.lasts)
	begun, well = map[string][]time.Time{}, map[string]time.Time{}
	rests := map[string]time.Time{} // until then
	var out []flying
	busy := map[string]int{} // callers with a call out
	calls := make([]int, o.shapes)
	const tick = 20 * time.Millisecond
	for now := start; now.Before(end.Add(20*time.Second)) && len(well) < o.shapes; now = now.Add(tick) {
		for i := 0; i < len(out); {
			if f := out[i]; f.ends.After(now) {
				i++
				continue
			}
			p := out[i].p
			out = slices.Delete(out, i, i+1)
			busy[p.shape]--
			var n int
			_, _ = fmt.Sscan(p.shape, &n)
			calls[n]++
			if o.hit(n) && now.Before(end) && (!o.partly || calls[n]%2 != 0) {
				if o.leaves != nil && o.leaves() {
					g.leave(p)
					continue
				}
				var rest time.Duration
				if o.rest != nil {
					rest = o.rest()
				}
				g.fail(p, now, rest)
				rests[p.shape] = later(rests[p.shape], now.Add(rest))
				if o.partly {
					begun[p.shape] = append(begun[p.shape], p.begun)
				}
				continue
			}
			g.succeed(p, now)
			if _, ok := well[p.shape]; !ok && !now.Before(end) {
				well[p.shape] = now
			}
		}
		for n := range o.shapes {
			shape := fmt.Sprint(n)
			for busy[shape] < o.callers {
				known := g.failing(shape)
				p, again := g.ask(shape, now)
				if p == nil {
					if !again.IsZero() && !again.After(now) {
						panic("asked to come back at a time that is over")
					}
					break
				}
				busy[shape]++
				if known && now.Before(rests[shape]) {
					restless++
				}
				if known && now.Before(end) && !o.partly {
					begun[shape] = append(begun[shape], now)
				}
				out = append(out, flying{p, now.Add(o.takes)})
			}
		}
	}
	return begun, well, restless
}

// most is the highest number of times within a second, and what a call may be late by on its way.
func most(times []time.Time) (n int) {
	for i := range times {
		in := 0
		for _, t := range times[i:] {
			if t.Sub(times[i]) < window {
				in++
			}
		}
		n = max(n, in)
	}
	return n
}

// However many callers there are, however fast calls fail, and whoever leaves: once it is
// known to fail, a shape is asked at most twice within a second, and not while the upstream wants
// to be left alone, the whole upstream too once three shapes have failed, and all are well soon
// after the end.
func TestOutage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := outage{
			shapes: rapid.IntRange(1, 8).Draw(t, "shapes"), callers: rapid.IntRange(1, 5).Draw(t, "callers"),
			hit:   func(int) bool { return true },
			lasts: time.Duration(rapid.IntRange(1, 12_000).Draw(t, "lasts")) * time.Millisecond,
			takes: time.Duration(rapid.SampledFrom([]int{0, 10, 300, 5000}).Draw(t, "takes")) * time.Millisecond,
		}
		random := func(most time.Duration) time.Duration {
			return time.Duration(rapid.Float64Range(0, 1).Draw(t, "random") * float64(most))
		}
		if seldom := rapid.IntRange(0, 4).Draw(t, "stay"); seldom > 0 {
			o.leaves = func() bool { return rapid.IntRange(0, seldom).Draw(t, "leaves") == seldom }
		}
		if rest := rapid.SampledFrom([]time.Duration{0, 0, time.Second, 5 * time.Second}).Draw(t, "rest"); rest > 0 {
			o.rest = func() time.Duration { return time.Duration(rapid.IntRange(0, 1).Draw(t, "rests")) * rest }
		}
		begun, well, restless := o.play(random)
		if restless > 0 {
			t.Fatalf("asked %d times while the upstream wanted to be left alone", restless)
		}
		var all []time.Time
		for shape, times := range begun {
			if n := most(times); n > 2 {
				t.Fatalf("shape %s was asked %d times within a second: %v", shape, n, times)
			}
			all = append(all, times...)
		}
		slices.SortFunc(all, time.Time.Compare)
		if o.shapes >= tripAt && len(all) > 0 {
			// Once the circuit is open. Before, each shape may fail once by itself.
			if n := most(all[min(len(all), o.shapes):]); n > 2 {
				t.Fatalf("the upstream was asked %d times within a second: %v", n, all)
			}
		}
		if len(well) < o.shapes {
			t.Fatalf("%d of %d shapes are well 20 s after the end", len(well), o.shapes)
		}
	})
}

// A shape that answers some of its calls, and others not, is not asked more often in vain for it.
func TestPartlyWell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := outage{
			shapes: rapid.IntRange(1, 2).Draw(t, "shapes"), callers: rapid.IntRange(1, 6).Draw(t, "callers"),
			hit: func(int) bool { return true }, partly: true, lasts: 12 * time.Second,
			takes: time.Duration(rapid.SampledFrom([]int{0, 10, 100, 300}).Draw(t, "takes")) * time.Millisecond,
		}
		begun, well, _ := o.play(func(most time.Duration) time.Duration {
			return time.Duration(rapid.Float64Range(0, 1).Draw(t, "random") * float64(most))
		})
		for shape, times := range begun {
			times = times[min(len(times), o.callers):]
			if n := most(times); n > 2 {
				t.Fatalf("shape %s was asked %d times within a second: %v", shape, n, times)
			}
		}
		if len(well) < o.shapes {
			t.Fatalf("%d of %d shapes are well 20 s after the end", len(well), o.shapes)
		}
	})
}

// A held call that a read went before began when the read had ended, however long that took.
func TestAReadBeforeAHeldCall(t *testing.T) {
	g := newGates(func(time.Duration) time.Duration { return 0 })
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	ask := func() *pass {
		for {
			p, again := g.ask("a", now)
			if p != nil {
				return p
			}
			now = again
		}
	}
	g.fail(ask(), now, 0)
	now = now.Add(time.Minute - time.Second)
	p := ask()
	p.waits = true
	now = now.Add(900 * time.Millisecond)
	g.succeed(p, now)
	held := now
	g.fail(&pass{shape: "a", begun: p.begun, all: -1}, now, 0)
	g.fail(ask(), now, 0)
	if ask(); now.Sub(held) < window {
		t.Errorf("a third call %v after the first", now.Sub(held))
	}
}

// The call that finds out for the whole upstream may be of a shape of which another call,
// from before, has failed meanwhile. Its own failure counts all the same: nobody else would
// be let through ever again.
func TestTheProbeOfAShapeThatFailedMeanwhile(t *testing.T) {
	g := newGates(func(time.Duration) time.Duration { return 0 })
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	before, _ := g.ask("a", now)
	for n := range tripAt {
		p, _ := g.ask(fmt.Sprint(n), now)
		g.fail(p, now, 0)
	}
	now = now.Add(time.Second)
	probe, _ := g.ask("a", now)
	if !g.open || probe == nil || !probe.probe {
		t.Fatalf("open: %v, the call that is to find out: %+v", g.open, probe)
	}
	g.fail(before, now, 0)
	g.fail(probe, now, 0)
	if p, again := g.ask("b", now.Add(time.Minute)); p == nil {
		t.Errorf("a minute later nobody may ask, and is to come back at %v", again)
	}
}

// One shape that fails by itself does not keep others from being asked.
func TestOneShapeAlone(t *testing.T) {
	random := func(most time.Duration) time.Duration { return most }
	o := outage{shapes: 5, callers: 3, hit: func(n int) bool { return n == 0 }, lasts: 10 * time.Second, takes: 10 * time.Millisecond}
	begun, _, _ := o.play(random)
	if n := len(begun["0"]); n > 12 {
		t.Errorf("the shape that fails was asked %d times in 10 s", n)
	}
	for shape, times := range begun {
		if shape != "0" && len(times) < 3*400 {
			t.Errorf("shape %s, which is well, was asked %d times", shape, len(times))
		}
	}
}

// Calls that fail together are one failure.
func TestFailuresTogether(t *testing.T) {
	g := newGates(func(most time.Duration) time.Duration { return most })
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	var out []*pass
	for range 10 {
		p, _ := g.ask("a", now)
		out = append(out, p)
	}
	now = now.Add(time.Minute) // they were held
	for _, p := range out {
		g.fail(p, now, 0)
	}
	if p, again := g.ask("a", now); p != nil || again.Sub(now) != firstPause {
		t.Errorf("asked again after %s", again.Sub(now))
	}
}

// What the upstream asked for is given to a shape, though another one succeeds meanwhile
// and closes the circuit.
func TestRetryAfterOutlivesTheCircuit(t *testing.T) {
	const rest = 5 * time.Second
	g := newGates(func(time.Duration) time.Duration { return 0 })
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	well, _ := g.ask("well", now)
	for n := range tripAt {
		p, _ := g.ask(fmt.Sprint(n), now)
		g.fail(p, now, rest)
	}
	if !g.open {
		t.Fatal("the circuit is closed")
	}
	failed := now
	now = now.Add(2 * time.Second)
	g.succeed(well, now)
	if g.open {
		t.Fatal("the circuit is open")
	}
	for n := range tripAt {
		if p, again := g.ask(fmt.Sprint(n), now); p != nil || !again.Equal(failed.Add(rest)) {
			t.Errorf("shape %d is asked again %v after it failed, with leave: %v", n, again.Sub(failed), p != nil)
		}
	}
}

// What nobody comes back to is forgotten.
func TestGatesForget(t *testing.T) {
	for _, ends := range []func(g *gates, p *pass, now time.Time){
		func(g *gates, p *pass, now time.Time) { g.fail(p, now, 0) },
		func(g *gates, p *pass, now time.Time) { g.succeed(p, now) },
	} {
		g := newGates(func(time.Duration) time.Duration { return 0 })
		now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
		for n := range 100 {
			p, _ := g.ask(fmt.Sprint(n), now)
			if p == nil {
				p = &pass{shape: fmt.Sprint(n), begun: now, all: -1}
			}
			g.fail(p, now, 0)
		}
		if len(g.shapes) != 100 {
			t.Fatalf("%d shapes fail", len(g.shapes))
		}
		now = now.Add(3 * time.Minute)
		p, _ := g.ask("0", now)
		ends(&g, p, now)
		if _, known := g.shapes["0"]; len(g.shapes) != 1 || !known {
			t.Errorf("%d shapes are remembered", len(g.shapes))
		}
	}
}

// A caller that leaves lets another find out, as soon as one that had stayed might have
// asked again.
func TestGatesLeave(t *testing.T) {
	g := newGates(func(time.Duration) time.Duration { return 0 })
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	p, _ := g.ask("a", now)
	g.fail(p, now, 0)
	now = now.Add(time.Second)
	first, _ := g.ask("a", now)
	if second, again := g.ask("a", now); first == nil || second != nil || !again.IsZero() {
		t.Fatalf("%v, then %v, %v", first, second, again)
	}
	g.leave(first)
	if second, again := g.ask("a", now); second != nil || again.Sub(now) != window-time.Second {
		t.Errorf("the third call within a second: %v, or after %v", second, again.Sub(now))
	}
	if second, _ := g.ask("a", now.Add(window-time.Second)); second == nil {
		t.Error("nobody may ask any more")
	}
}
