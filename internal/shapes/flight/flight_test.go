package flight

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is one request to the scripted source, held until it is answered.
type call struct {
	live  bool
	query string
	pos   shapes.Position
	ctx   context.Context
	reply chan reply
}

type reply struct {
	news *shapes.News
	page *shapes.Page
	err  error
}

// script is a Source whose calls the test answers by hand.
type script struct{ calls chan *call }

func newScript() *script { return &script{calls: make(chan *call, 100)} }

func (s *script) ask(ctx context.Context, live bool, def *shapes.Definition, pos shapes.Position) (reply, error) {
	c := &call{live, def.Query(), pos, ctx, make(chan reply, 1)}
	s.calls <- c
	select {
	case r := <-c.reply:
		return r, r.err
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

func (s *script) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	r, err := s.ask(ctx, false, def, pos)
	return r.page, err
}

func (s *script) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	r, err := s.ask(ctx, true, def, pos)
	return r.news, err
}

// pending gives the calls that are open now.
func (s *script) pending() []*call {
	synctest.Wait()
	var all []*call
	for {
		select {
		case c := <-s.calls:
			all = append(all, c)
		default:
			return all
		}
	}
}

func (s *script) one(t *testing.T) *call {
	t.Helper()
	calls := s.pending()
	if len(calls) != 1 {
		t.Fatalf("%d calls to the upstream, want 1", len(calls))
	}
	return calls[0]
}

func at(tx uint64) shapes.Position {
	return shapes.Position{Handle: "h", Offset: shapes.LogOffset(tx, 0)}
}

const row = `{"headers":{"operation":"insert"}}`

func news(tx uint64, upToDate bool) *shapes.News {
	return &shapes.News{Next: at(tx), Batch: shapes.Batch{Rows: []byte(row), Count: 1, UpToDate: upToDate}}
}

func silence(tx uint64) *shapes.News {
	return &shapes.News{Next: at(tx), Batch: shapes.Batch{UpToDate: true}}
}

func page(tx uint64, body string) *shapes.Page {
	return &shapes.Page{Next: at(tx), Messages: shapes.NewScanner(strings.NewReader(body)), Close: func() error { return nil }}
}

var def = shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("runtimeEnvironmentId", "env"))

func landed(t *Ticket) bool {
	synctest.Wait()
	select {
	case <-t.Landed():
		return true
	default:
		return false
	}
}

// inBubble runs f with a group over a scripted source, on a fake clock.
func inBubble(t *testing.T, f func(t *testing.T, s *script, g *Group)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := New(Config{Source: s})
		defer g.Close()
		f(t, s, g)
	})
}

func TestManyReadersOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		tickets := make([]*Ticket, 100)
		for i := range tickets {
			tickets[i] = g.Join(def, at(1))
			defer tickets[i].Leave()
		}
		want := news(2, true)
		s.one(t).reply <- reply{news: want}
		synctest.Wait()
		first, _ := tickets[0].Result()
		for _, ticket := range tickets {
			if !landed(ticket) {
				t.Fatal("a reader was left waiting")
			}
			got, err := ticket.Result()
			if got != first || got.Next != want.Next || !reflect.DeepEqual(got.Batch, want.Batch) || &got.Rows[0] != &want.Rows[0] || got.Framed == nil || err != nil {
				t.Fatalf("got %v, %v", got, err)
			}
		}
		if n := len(s.pending()); n != 0 {
			t.Errorf("%d more calls to the upstream", n)
		}
	})
}

func TestOtherPlacesAndShapesFlyAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		otherEnvironment := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("runtimeEnvironmentId", "other"))
		otherHandle := shapes.Position{Handle: "i", Offset: at(1).Offset}
		for _, ticket := range []*Ticket{g.Join(def, at(1)), g.Join(def, at(2)), g.Join(def, otherHandle), g.Join(otherEnvironment, at(1))} {
			defer ticket.Leave()
		}
		if n := len(s.pending()); n != 4 {
			t.Errorf("%d calls, want 4", n)
		}
	})
}

func TestSilenceRenewsTheCallAndAnswersNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		ticket := g.Join(def, at(1))
		defer ticket.Leave()
		c := s.one(t)
		time.Sleep(20 * time.Second)
		c.reply <- reply{news: silence(1)}
		if landed(ticket) {
			t.Fatal("the flight landed without news")
		}
		c = s.one(t) // renewed at once, since the upstream had held it
		c.reply <- reply{news: silence(5)}
		if c = s.one(t); c.pos != at(5) {
			t.Errorf("asked at %v after the offset had moved to 5", c.pos)
		}
		c.reply <- reply{news: news(6, true)}
		if !landed(ticket) {
			t.Error("news did not land")
		}
	})
}

func TestAnUpstreamThatDoesNotHoldIsNotHammered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		ticket := g.Join(def, at(1))
		defer ticket.Leave()
		s.one(t).reply <- reply{news: silence(1)}
		if n := len(s.pending()); n != 0 {
			t.Fatal("asked again at once")
		}
		time.Sleep(pace.Least)
		s.one(t)
	})
}

// Nor is one whose answers have no rows and always lead a bit further: the second call goes
// at once, and no further one sooner than the pace has it.
func TestAnUpstreamThatGetsNowhereIsNotHammered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		ticket := g.Join(def, at(1))
		defer ticket.Leave()
		s.one(t).reply <- reply{news: silence(2)}
		for place := uint64(3); place < 10; place++ {
			s.one(t).reply <- reply{news: silence(place)}
			if n := len(s.pending()); n != 0 {
				t.Fatalf("asked again at once, at %d", place)
			}
			time.Sleep(pace.Least)
		}
		s.one(t)
	})
}

func TestTheCallLingersAfterTheLastReader(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		first := g.Join(def, at(1))
		c := s.one(t)
		first.Leave()
		first.Leave()
		time.Sleep(2 * time.Second)
		second := g.Join(def, at(1))
		time.Sleep(10 * time.Second)
		if c.ctx.Err() != nil || len(s.pending()) != 0 {
			t.Fatal("a reader who came back did not find the call warm")
		}
		second.Leave()
		time.Sleep(2 * time.Second)
		if c.ctx.Err() != nil {
			t.Fatal("the call ended before its time")
		}
		time.Sleep(2 * time.Second)
		if synctest.Wait(); c.ctx.Err() == nil {
			t.Fatal("a call that nobody waits for stays open")
		}
		third := g.Join(def, at(1))
		defer third.Leave()
		s.one(t)
	})
}

func TestFaultsAndRotationsLand(t *testing.T) {
	for _, want := range []error{&shapes.Rotated{Handle: "new"}, &shapes.Unavailable{Err: errors.New("down")}, &shapes.Refused{Status: 400}} {
		inBubble(t, func(t *testing.T, s *script, g *Group) {
			ticket := g.Join(def, at(1))
			defer ticket.Leave()
			s.one(t).reply <- reply{err: want}
			if !landed(ticket) {
				t.Fatal("not landed")
			}
			if _, err := ticket.Result(); err != want {
				t.Errorf("got %v, want %v", err, want)
			}
			next := g.Join(def, at(1))
			defer next.Leave()
			if _, rotated := want.(*shapes.Rotated); !rotated {
				s.one(t)
				return
			}
			// What is known to be gone is not asked for again.
			if synctest.Wait(); len(s.pending()) != 0 || !landed(next) {
				t.Fatal("a place that is gone was asked for")
			}
			if _, err := next.Result(); err != want {
				t.Errorf("then %v", err)
			}
		})
	}
}

func TestAnUnfinishedAnswerIsCompleted(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		ticket := g.Join(def, at(1))
		defer ticket.Leave()
		first := news(2, false)
		s.one(t).reply <- reply{news: first}
		if c := s.one(t); c.live || c.pos != at(2) {
			t.Fatalf("read on at %v, live %v", c.pos, c.live)
		} else {
			c.reply <- reply{page: page(3, "["+row+"]")}
		}
		s.one(t).reply <- reply{page: page(4, "["+row+`,{"headers":{"control":"up-to-date"}}]`)}
		if !landed(ticket) {
			t.Fatal("not landed")
		}
		got, _ := ticket.Result()
		if string(got.Rows) != row+","+row+","+row || got.Count != 3 || !got.UpToDate || got.Next != at(4) {
			t.Errorf("got %+v", got)
		}
		if first.Count != 1 {
			t.Error("the first answer was changed")
		}
	})
}

func TestCompletingIsBounded(t *testing.T) {
	tooLarge := "[" + strings.Repeat(row+",", 40000) + row + "]"
	for name, answer := range map[string]func(c *call){
		"silence":       func(*call) {},
		"too large":     func(c *call) { c.reply <- reply{page: page(3, tooLarge)} },
		"broken off":    func(c *call) { c.reply <- reply{page: page(3, "["+row)} },
		"fault":         func(c *call) { c.reply <- reply{err: &shapes.Unavailable{}} },
		"does not move": func(c *call) { c.reply <- reply{page: page(2, "[]")} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *script, g *Group) {
				ticket := g.Join(def, at(1))
				defer ticket.Leave()
				s.one(t).reply <- reply{news: news(2, false)}
				answer(s.one(t))
				time.Sleep(100 * time.Millisecond)
				if !landed(ticket) {
					t.Fatal("the flight waits for what does not come")
				}
				got, err := ticket.Result()
				if err != nil || got.UpToDate || got.Count != 1 || got.Next != at(2) {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		})
	}
}

func TestCloseLandsEverything(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		ticket := g.Join(def, at(1))
		defer ticket.Leave()
		g.Close()
		late := g.Join(def, at(1))
		late.Leave()
		for _, ticket := range []*Ticket{ticket, late} {
			var unavailable *shapes.Unavailable
			if !landed(ticket) {
				t.Fatal("not landed")
			} else if _, err := ticket.Result(); !errors.As(err, &unavailable) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// settle waits until nothing moves any more.
func (s *script) settle() { synctest.Wait() }
