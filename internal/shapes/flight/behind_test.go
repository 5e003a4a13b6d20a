package flight

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// piece is news of so many bytes.
func piece(to uint64, bytes int) *shapes.News {
	return &shapes.News{Next: at(to), Batch: shapes.Batch{Rows: []byte(strings.Repeat("x", bytes)), Count: 1, UpToDate: true}}
}

// many join at a place and leave when they were told; it gives what they were told, which is
// the same for all, and how many calls it took.
func many(t *testing.T, s *script, g *Group, pos shapes.Position, answer *shapes.News) (*shapes.News, int) {
	t.Helper()
	tickets := make([]*Ticket, 100)
	for i := range tickets {
		tickets[i] = g.Join(def, pos)
		defer tickets[i].Leave()
	}
	calls := s.pending()
	for _, c := range calls {
		if c.pos != pos {
			t.Fatalf("asked at %v, and not %v", c.pos, pos)
		}
		c.reply <- reply{news: answer}
	}
	var first *shapes.News
	for i, ticket := range tickets {
		if !landed(ticket) {
			t.Fatal("a reader was left waiting")
		}
		got, err := ticket.Result()
		if i == 0 {
			first = got
		}
		if err != nil || got != first {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	return first, len(calls)
}

// Readers who fall further behind than is remembered cost a call for their place, not one
// each: whether they come while it is out or after it was answered, and however much it
// brings. They share its bytes, and their frame as long as that is copied.
func TestReadersWhoFellBehindWhatIsRemembered(t *testing.T) {
	for name, size := range map[string]int{"within the ring": 200 << 10, "beyond it": 300 << 10, "much": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *script, g *Group) {
				for tx := range uint64(6) {
					many(t, s, g, at(tx+1), piece(tx+2, 60<<10))
				}
				if told(t, s, g, at(2)) != "" || told(t, s, g, at(3)) == "" {
					t.Fatal("what is remembered is not what this test thinks")
				}
				for _, c := range s.pending() {
					t.Fatalf("asked at %v", c.pos)
				}
				first, calls := many(t, s, g, at(1), piece(7, size))
				if calls != 1 || len(first.Rows) != size {
					t.Fatalf("%d calls, %d bytes", calls, len(first.Rows))
				}
				again, calls := many(t, s, g, at(1), piece(7, size))
				if calls != 0 || again != first {
					t.Errorf("those who came later: %d calls", calls)
				}
				body, _ := first.Framed.Body(first.Rows, []byte("end"))
				shared, _ := again.Framed.Body(again.Rows, []byte("end"))
				if copied := size <= 256<<10; (body != nil) != copied || copied && &body[0] != &shared[0] {
					t.Errorf("framed as %d and %d bytes", len(body), len(shared))
				}
			})
		})
	}
}

// What is larger than a ring does not push out what is in it, is followed by what follows it,
// and gives way to the next of its kind.
func TestLargeNewsIsRememberedBesideTheRing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		const large = 300 << 10
		land(t, s, g, at(1), at(2), "a")
		many(t, s, g, at(2), piece(3, large))
		land(t, s, g, at(3), at(4), "c")
		land(t, s, g, at(4), at(5), "d")
		for from, want := range map[uint64]string{1: "a 1 2_0 true", 3: "c,d 2 5_0 true", 4: "d 1 5_0 true"} {
			if got := told(t, s, g, at(from)); got != want {
				t.Errorf("from %d: %q, want %q", from, got, want)
			}
		}
		if _, calls := many(t, s, g, at(2), nil); calls != 0 {
			t.Errorf("%d calls for what is large", calls)
		}
		if st := g.Stats(); st.RingBytes != 4*entryBytes+3+large {
			t.Errorf("%+v", st)
		}
		many(t, s, g, at(5), piece(6, large))
		if _, calls := many(t, s, g, at(2), piece(3, large+1)); calls != 1 {
			t.Errorf("%d calls, though another took its place", calls)
		}
		if st := g.Stats(); st.RingBytes != 4*entryBytes+3+large+1 {
			t.Errorf("%+v", st)
		}
		rotated := &shapes.Rotated{Handle: "new"}
		ticket := g.Join(def, at(9))
		defer ticket.Leave()
		s.one(t).reply <- reply{err: rotated}
		synctest.Wait()
		isGone(t, s, g, at(2), rotated)
		if st := g.Stats(); st.RingBytes != 0 || g.store.ages.Len() != 0 {
			t.Errorf("%+v after the handle is gone", st)
		}
	})
}

// Large news counts for what all rings hold, is the oldest in its turn, and is not remembered
// if it is a good part of all that may be.
func TestLargeNewsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := New(Config{Source: s, RingBytes: 1000, AllRingBytes: 32_000})
		defer g.Close()
		most := 32_000/largest - entryBytes
		many(t, s, g, at(1), piece(2, most+1))
		if g.Stats().RingBytes != 0 {
			t.Errorf("%+v", g.Stats())
		}
		many(t, s, g, at(1), piece(2, most))
		if _, calls := many(t, s, g, at(1), nil); calls != 0 || g.Stats().RingBytes != most+entryBytes {
			t.Errorf("%d calls, %+v", calls, g.Stats())
		}
		for n := range 100 { // of other shapes
			ticket := g.Join(feed("e", n), at(1))
			s.one(t).reply <- reply{news: piece(2, most)}
			if !landed(ticket) {
				t.Fatal("not landed")
			}
			ticket.Leave()
			if bytes := g.Stats().RingBytes; bytes > 32_000 {
				t.Fatalf("%d bytes", bytes)
			}
		}
		if _, calls := many(t, s, g, at(1), piece(2, 1)); calls != 1 {
			t.Errorf("%d calls for what was the oldest of all", calls)
		}
	})
}
