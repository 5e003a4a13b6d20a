package flight

import (
	"bytes"
	"context"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// The races of doc.go, each in the order that would do harm if it were not decided in one
// step. All are decided by Group.mu, so a test holds it, has those who race come to it one
// after another, and lets go.

// lined has those who are to come wait for the lock, one behind the other, and then get it
// one after the other. Who gives it up in the middle, and takes it again, is behind all
// others: see starve.
func lined(t *testing.T, g *Group, come ...func()) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, f := range come {
		f()
		if !waiting(t, i+1, time.Minute) {
			t.Error("nobody comes to the lock")
			return
		}
	}
	starve(t, g, len(come))
}

// starve has the lock handed on in the order in which so many have come. A mutex does so
// once somebody who has waited for a millisecond was woken, and somebody else had taken it.
func starve(t *testing.T, g *Group, n int) {
	for began := clock(t); clock(t)-began < 2*time.Millisecond; {
		runtime.Gosched()
	}
	g.mu.Unlock()
	g.mu.Lock()
	// Otherwise the first was quicker, and what was to be tested is not tested this time.
	_ = waiting(t, n, time.Second)
}

// waiting waits until so many goroutines wait for a mutex, but not for longer than most. It
// does not look into the mutex, but at what the goroutines say.
func waiting(t *testing.T, n int, most time.Duration) bool {
	stacks := make([]byte, 1<<20)
	for began := clock(t); clock(t)-began < most; runtime.Gosched() {
		if bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("[sync.Mutex.Lock")) == n {
			return true
		}
	}
	return false
}

// clock is not the bubble's.
func clock(t *testing.T) time.Duration {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// joins is a reader who joins in a goroutine of its own.
func joins(g *Group, pos shapes.Position, ticket **Ticket) func() {
	return func() { go func() { *ticket = g.Join(def, pos) }() }
}

// Whoever joins while a flight lands has a seat or finds the news.
func TestJoiningAgainstLanding(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var after *Ticket
		before := g.Join(def, at(1))
		c := s.one(t)
		lined(t, g, func() { c.reply <- reply{news: news(2, true)} }, joins(g, at(1), &after))
		if n := len(s.pending()); n != 0 || !landed(after) || !landed(before) {
			t.Fatalf("%d calls for what has just come", n)
		}
		told, _ := before.Result()
		if got, err := after.Result(); got != told || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		before.Leave()
		after.Leave()
	})
}

// Whoever joins when the linger has ended, whose timer comes to the lock first, is not in the flight that was given up, and is
// told nothing of its end.
func TestJoiningAgainstTheEndOfTheLinger(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var after *Ticket
		g.Join(def, at(1)).Leave()
		c := s.one(t)
		lined(t, g, func() { time.Sleep(3 * time.Second) }, joins(g, at(1), &after))
		next := s.one(t)
		if landed(after) || c.ctx.Err() == nil || next.ctx.Err() != nil || g.Stats().InAir != 1 {
			t.Fatalf("landed: %v; %v, %v; %+v", landed(after), c.ctx.Err(), next.ctx.Err(), g.Stats())
		}
		next.reply <- reply{news: news(2, true)}
		if !landed(after) {
			t.Error("not landed")
		}
		after.Leave()
	})
}

// Whoever joins just before the linger ends finds the call warm.
func TestJoiningBeforeTheEndOfTheLinger(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var after *Ticket
		g.Join(def, at(1)).Leave()
		c := s.one(t)
		lined(t, g, late(g.linger, joins(g, at(1), &after)), func() { go g.linger.fire() })
		if n := len(s.pending()); n != 0 || landed(after) || c.ctx.Err() != nil {
			t.Fatalf("%d calls, landed: %v; %v", n, landed(after), c.ctx.Err())
		}
		after.Leave()
	})
}

// late has somebody come at the moment at which something is to be given up, but before the
// timer does, which the test has to fire. The lock is held.
func late[T any](q *queue[T], come func()) func() {
	return func() {
		q.timer.Stop()
		time.Sleep(q.after)
		come()
	}
}

// deaf is a Source whose calls do not end with their context.
type deaf struct{ *script }

func (d deaf) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	return d.script.Wait(context.WithoutCancel(ctx), def, pos)
}

// What the call of a flight brings that was given up is dropped: its shape may be forgotten
// by then, or be another.
func TestNewsAgainstTheEndOfTheLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := New(Config{Source: deaf{s}})
		defer g.Close()
		for _, forgotten := range []bool{true, false} {
			g.Join(def, at(1)).Leave()
			c := s.one(t)
			time.Sleep(5 * time.Second)
			if forgotten {
				time.Sleep(10 * time.Second)
			}
			c.reply <- reply{news: news(2, true)}
			synctest.Wait()
			if st := g.Stats(); st.RingBytes != 0 || st.InAir != 0 || st.Shapes != number(!forgotten) {
				t.Errorf("forgotten: %v: %+v", forgotten, st)
			}
		}
	})
}

// A reader who leaves when its call has ended takes what it brought.
func TestLeavingAfterTheEndOfACall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		r := reads(t, g, at(1))
		c := s.one(t)
		lined(t, g, func() { c.reply <- p.of(2, allRows) }, r.leave)
		if got := r.body(t); got != row+" up to date" {
			t.Errorf("%q", got)
		}
		if e := g.environments["env"]; e.calls != 0 || p.open != 0 || g.shareHeld.Load() != 0 {
			t.Errorf("%+v, %d open, %d held", e, p.open, g.shareHeld.Load())
		}
	})
}

// A reader who leaves just before its call ends has left, and nothing remains of the call.
func TestLeavingBeforeTheEndOfACall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		r := reads(t, g, at(1))
		c := s.one(t)
		lined(t, g, r.leave, func() { c.reply <- p.of(2, allRows) })
		if !r.has() || r.err != context.Canceled {
			t.Errorf("%v", r.err)
		}
		if e := g.environments["env"]; e.calls != 0 || p.open != 0 || g.shareHeld.Load() != 0 || len(g.shapes[def.Query()].reads) != 0 {
			t.Errorf("%+v, %d open, %d held", e, p.open, g.shareHeld.Load())
		}
	})
}

// Whoever comes while a call ends, and others wait for the next, is behind that: there is
// one call out at a time, and each reader has one that was sent after it came.
func TestComingAgainstTheEndOfACall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		var third *reader
		first := reads(t, g, at(1))
		c := s.one(t)
		second := reads(t, g, at(1))
		lined(t, g, func() { c.reply <- p.of(2, allRows) }, func() {
			third = &reader{done: make(chan struct{})}
			go func() {
				defer close(third.done)
				third.page, third.err = g.Read(t.Context(), def, at(1))
			}()
		})
		c = s.one(t)
		first.body(t)
		if second.has() || third.has() {
			t.Fatal("answered by what was sent before they came")
		}
		c.reply <- p.of(3, allRows)
		second.body(t)
		c = s.one(t)
		if third.has() {
			t.Fatal("answered by what was sent before it came")
		}
		c.reply <- p.of(4, allRows)
		third.body(t)
		if p.open != 0 {
			t.Errorf("%d open", p.open)
		}
	})
}

// Of two who come for a large body at the same moment, one has it.
func TestTakingALargeBody(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		c := g.newCall(t.Context(), def, readKey{pos: at(1)})
		c.page, c.streams = p.of(2, allRows).page, &shape{environment: &environment{}, alone: 1}
		var taken [2]*shapes.Page
		take := func(i int) func() { return func() { go func() { taken[i] = c.take(t.Context()) }() } }
		lined(t, g, take(0), take(1))
		if synctest.Wait(); taken[0] == nil || taken[1] != nil {
			t.Fatalf("%v, %v", taken[0], taken[1])
		}
		_ = taken[0].Close()
		if p.open != 0 {
			t.Errorf("%d open", p.open)
		}
	})
}

// Whoever asks about a shape when it is forgotten, for which the timer comes to the lock
// first, makes it known again.
func TestAskingAgainstForgetting(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var after *Ticket
		land(t, s, g, at(1), at(2), "a")
		lined(t, g, func() { time.Sleep(10 * time.Second) }, joins(g, at(1), &after))
		c := s.one(t)
		if st, e := g.Stats(), g.environments["env"]; st.Shapes != 1 || st.InAir != 1 || st.RingBytes != 0 || e == nil || e.shapes != 1 || e.calls != 1 {
			t.Fatalf("%+v, %+v", st, e)
		}
		c.reply <- reply{news: news(2, true)}
		if !landed(after) || told(t, s, g, at(1)) == "" {
			t.Error("what landed is not remembered")
		}
		after.Leave()
	})
}

// Whoever asks about a shape just before it is forgotten keeps it from that, with what is
// remembered.
func TestAskingBeforeForgetting(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var after *Ticket
		land(t, s, g, at(1), at(2), "a")
		lined(t, g, late(g.idle, joins(g, at(2), &after)), func() { go g.idle.fire() })
		if n, st := len(s.pending()), g.Stats(); n != 1 || st.Shapes != 1 || st.InAir != 1 || told(t, s, g, at(1)) == "" {
			t.Fatalf("%d calls, %+v", n, st)
		}
		after.Leave()
	})
}
