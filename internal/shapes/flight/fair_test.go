package flight

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// feed is one of many of an environment.
func feed(environment string, n int) *shapes.Definition {
	return shapes.Define(shapes.V2Table, []string{"id"}, shapes.Equal("runtimeEnvironmentId", environment), shapes.Equal("id", fmt.Sprint(n)))
}

// refused gives the time that a ticket's reader is asked to wait, or fails.
func refused(t *testing.T, ticket *Ticket) time.Duration {
	t.Helper()
	if !landed(ticket) {
		t.Fatal("not refused")
	}
	news, err := ticket.Result()
	var limited *shapes.Limited
	if news != nil || !errors.As(err, &limited) || limited.RetryAfter <= 0 || limited.RetryAfter > 10*time.Second {
		t.Fatalf("%v, %v", news, err)
	}
	return limited.RetryAfter
}

func inFairBubble(t *testing.T, p PerEnvironment, f func(t *testing.T, s *script, g *Group)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{calls: make(chan *call, 10_000)}
		g := New(Config{Source: s, PerEnvironment: p})
		defer g.Close()
		f(t, s, g)
	})
}

// An environment that asks for more than it may have is told so, whatever it is that it
// has too much of, and the others do not notice.
func TestANoisyEnvironmentIsAlone(t *testing.T) {
	inFairBubble(t, PerEnvironment{}, func(t *testing.T, s *script, g *Group) {
		var held []*Ticket
		over := 0
		for n := range 50_000 {
			ticket := g.Join(feed("noisy", n), at(1))
			if ticket.flight == nil {
				over++
				ticket.Leave()
			} else {
				held = append(held, ticket)
			}
		}
		if n := len(s.pending()); n != 4000 || over != 46_000 {
			t.Errorf("%d calls, %d refused", n, over)
		}
		for n := range 100 {
			quiet := g.Join(feed(fmt.Sprint("quiet", n), n), at(1))
			if landed(quiet) {
				t.Fatal("a quiet environment is refused")
			}
			defer quiet.Leave()
		}
		if n := len(s.pending()); n != 100 {
			t.Errorf("%d calls for the quiet ones", n)
		}
		refused(t, g.Join(feed("noisy", 60_000), at(1)))
		defer g.Join(feed("noisy", 1), at(1)).Leave() // what is in the air costs nothing more
		if n := len(s.pending()); n != 0 {
			t.Errorf("%d calls", n)
		}
		for _, ticket := range held {
			ticket.Leave()
		}
		time.Sleep(14 * time.Second)
		again := g.Join(feed("noisy", 60_000), at(1))
		defer again.Leave()
		if landed(again) {
			t.Error("refused when everybody has left")
		}
	})
}

func TestDefinitionsAreCounted(t *testing.T) {
	inFairBubble(t, PerEnvironment{Definitions: 2}, func(t *testing.T, s *script, g *Group) {
		first, second := g.Join(feed("e", 1), at(1)), g.Join(feed("e", 2), at(1))
		defer second.Leave()
		if wait := refused(t, g.Join(feed("e", 3), at(1))); wait != 10*time.Second {
			t.Errorf("to wait for %v", wait)
		}
		if g.Stats().Limited != 1 {
			t.Errorf("%+v", g.Stats())
		}
		defer g.Join(feed("e", 2), at(5)).Leave() // another place of a shape that it has
		first.Leave()
		time.Sleep(13*time.Second + time.Millisecond) // linger and memory
		third := g.Join(feed("e", 3), at(1))
		defer third.Leave()
		if landed(third) {
			t.Error("refused, though one was forgotten")
		}
	})
}

// Only so many new feeds may be begun at once, and then so many in a second. Who goes on
// with one does not count.
func TestNewDefinitionsAreLimited(t *testing.T) {
	inFairBubble(t, PerEnvironment{NewPerSecond: 2}, func(t *testing.T, s *script, g *Group) {
		begin := func(n int) error {
			r := &reader{done: make(chan struct{})}
			go func() {
				defer close(r.done)
				_, r.err = g.Read(t.Context(), feed("e", n), start)
			}()
			if r.has() {
				return r.err
			}
			for _, c := range s.pending() {
				c.reply <- reply{page: page(1, someRows)}
			}
			<-r.done
			return r.err
		}
		for n := range 20 {
			if err := begin(n); err != nil {
				t.Fatalf("new feed %d: %v", n, err)
			}
		}
		var limited *shapes.Limited
		if err := begin(20); !errors.As(err, &limited) || limited.RetryAfter != 500*time.Millisecond {
			t.Fatalf("%v, %+v", err, limited)
		}
		if err := begin(7); err != nil {
			t.Errorf("a known feed: %v", err)
		}
		for n := range 100 {
			defer g.Join(feed("e", 1000+n), at(1)).Leave()
		}
		if n := len(s.pending()); n != 100 {
			t.Errorf("%d of 100 go on", n)
		}
		time.Sleep(limited.RetryAfter)
		if err := begin(20); err != nil {
			t.Errorf("after waiting as told: %v", err)
		}
		if err := begin(21); err == nil {
			t.Error("two more after the time of one")
		}
	})
}

// Reads count as calls, those from the beginning by themselves, from when they are sent
// until nobody has anything of them.
func TestReadsAreCounted(t *testing.T) {
	inFairBubble(t, PerEnvironment{Calls: 3, Beginnings: 2}, func(t *testing.T, s *script, g *Group) {
		err := func(n int, pos shapes.Position) (*reader, error) {
			r := &reader{done: make(chan struct{})}
			go func() {
				defer close(r.done)
				r.page, r.err = g.Read(t.Context(), feed("e", n), pos)
			}()
			r.has()
			return r, r.err
		}
		var limited *shapes.Limited
		r, _ := err(1, start)
		_, _ = err(1, start) // shares it
		if _, e := err(2, start); e != nil {
			t.Fatal(e)
		}
		if _, e := err(3, start); !errors.As(e, &limited) {
			t.Fatal(e)
		}
		if _, e := err(3, at(1)); e != nil {
			t.Fatal(e)
		}
		if _, e := err(4, at(1)); !errors.As(e, &limited) {
			t.Fatal(e)
		}
		refused(t, g.Join(feed("e", 4), at(1)))
		s.pending()[0].reply <- reply{page: page(1, someRows)}
		r.has()
		if _, e := err(3, start); e != nil {
			t.Error(e)
		}
	})
}

// A Group that remembers nothing still lets an environment begin what it did not use.
func TestNewDefinitionsWithoutMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := New(Config{Source: s, Keep: -1, PerEnvironment: PerEnvironment{NewPerSecond: 0.5}})
		defer g.Close()
		for n := range 6 {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			go g.Read(ctx, feed("e", n), start)
			if got := len(s.pending()); got != number(n < 5) {
				t.Errorf("new feed %d: %d calls", n, got)
			}
		}
	})
}

// Of the reads of one feed all are sent or none: if one is too much, for whatever reason,
// the environment has what it had before.
func TestSeatsAreAllOrNone(t *testing.T) {
	for name, p := range map[string]PerEnvironment{
		"definitions": {Definitions: 4}, "calls": {Calls: 4}, "beginnings": {Beginnings: 4},
	} {
		t.Run(name, func(t *testing.T) {
			inFairBubble(t, p, func(t *testing.T, s *script, g *Group) {
				one := reads(t, g, start)
				defer one.leave()
				seats := func(n int) (of []*shapes.Definition) { return []*shapes.Definition{feed("env", n), feed("env", n+1)} }
				both := []shapes.Position{start, start}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				sit := func(of []*shapes.Definition) []Seat { return g.Seats(ctx, of, both) }
				let := sit(seats(0))
				before := *g.environments["env"]
				for i, seat := range sit(seats(2)) {
					var limited *shapes.Limited
					if _, err := seat.Read(ctx); !errors.As(err, &limited) {
						t.Errorf("seat %d of a feed that is too much: %v", i, err)
					}
				}
				if got := *g.environments["env"]; got != before || g.Stats().Limited != 1 || len(g.shapes) != 3 || len(s.pending()) != 3 {
					t.Errorf("%+v, then %+v; %+v", before, got, g.Stats())
				}
				// What shares a call that is out takes nothing, and one more is one more.
				shares := sit([]*shapes.Definition{feed("env", 0), feed("env", 2)})
				if n := len(s.pending()); n != 1 || g.Stats().Limited != 1 {
					t.Errorf("%d calls, %+v", n, g.Stats())
				}
				leave()
				for _, seat := range append(let, shares...) {
					if _, err := seat.Read(ctx); err != context.Canceled {
						t.Errorf("of one who left: %v", err)
					}
				}
			})
		})
	}
}

// Where less may be had than one feed takes, it may be had nevertheless.
func TestABoundBelowOneFeed(t *testing.T) {
	for _, p := range []PerEnvironment{{Definitions: 1}, {Calls: 1}, {Beginnings: 1}, {NewPerSecond: 0.1}} {
		inFairBubble(t, p, func(t *testing.T, s *script, g *Group) {
			ctx, leave := context.WithCancel(t.Context())
			leave()
			seats := g.Seats(ctx, []*shapes.Definition{feed("e", 1), feed("e", 2)}, []shapes.Position{start, start})
			if n := len(s.pending()); n != 2 {
				t.Errorf("%+v: %d calls", p, n)
			}
			for _, seat := range seats {
				_, _ = seat.Read(ctx)
			}
		})
	}
}

// A call that is refused begins nothing: what it would have taken of the new feeds is there
// for others.
func TestARefusedCallTakesNoToken(t *testing.T) {
	inFairBubble(t, PerEnvironment{Beginnings: 1, NewPerSecond: 1}, func(t *testing.T, s *script, g *Group) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var limited *shapes.Limited
		go g.Read(ctx, feed("e", 0), start)
		_ = s.one(t)
		for n := range 1000 {
			if _, err := g.Read(ctx, feed("e", n+1), start); !errors.As(err, &limited) {
				t.Fatal(err)
			}
		}
		if e := g.environments["e"]; e.spent != 1 || e.shapes != 1 {
			t.Errorf("%+v", e)
		}
	})
}
