package flight

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// land brings news to a flight from one transaction to another, and lets everybody leave.
func land(t *testing.T, s *script, g *Group, from, to shapes.Position, rows string) {
	t.Helper()
	ticket := g.Join(def, from)
	defer ticket.Leave()
	s.one(t).reply <- reply{news: &shapes.News{Next: to, Batch: shapes.Batch{Rows: []byte(rows), Count: 1, UpToDate: true}}}
	if !landed(ticket) {
		t.Fatal("not landed")
	}
}

// told is what a reader who joins now is told at once; "" if it has to wait.
func told(t *testing.T, s *script, g *Group, pos shapes.Position) string {
	t.Helper()
	ticket := g.Join(def, pos)
	defer ticket.Leave()
	if !landed(ticket) {
		for _, c := range s.pending() {
			if c.pos != pos {
				t.Errorf("asked at %v", c.pos)
			}
		}
		return ""
	}
	if calls := s.pending(); len(calls) > 0 {
		t.Errorf("%d calls for what is known", len(calls))
	}
	news, err := ticket.Result()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(string(news.Rows), " ", news.Count, " ", news.Next.Offset, " ", news.UpToDate)
}

func TestAReaderWhoFellBehindIsAnsweredFromMemory(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		land(t, s, g, at(1), at(2), "a")
		land(t, s, g, at(2), at(5), "b")
		land(t, s, g, at(5), at(6), "c")
		for from, want := range map[uint64]string{1: "a,b,c 3 6_0 true", 2: "b,c 2 6_0 true", 5: "c 1 6_0 true"} {
			for range 2 {
				if got := told(t, s, g, at(from)); got != want {
					t.Errorf("from %d: %q, want %q", from, got, want)
				}
			}
		}
		for _, pos := range []shapes.Position{at(3), at(6), at(7), {Handle: "i", Offset: at(1).Offset}} {
			if got := told(t, s, g, pos); got != "" {
				t.Errorf("from %v: %q", pos, got)
			}
		}
		if hits := g.Stats().RingHits; hits != 6 {
			t.Errorf("%d hits", hits)
		}
	})
}

// What was joined for a reader is not what the next one gets when more has come.
func TestMemoryGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		land(t, s, g, at(1), at(2), "a")
		land(t, s, g, at(2), at(3), "b")
		first := g.Join(def, at(1))
		news, _ := first.Result()
		land(t, s, g, at(3), at(4), "c")
		if got := told(t, s, g, at(1)); got != "a,b,c 3 4_0 true" {
			t.Errorf("%q", got)
		}
		if string(news.Rows) != "a,b" {
			t.Errorf("what was given out is %q now", news.Rows)
		}
	})
}

// News across a gap is two pieces: nobody is led over it.
func TestMemoryWithAGap(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		land(t, s, g, at(1), at(2), "a")
		land(t, s, g, at(3), at(4), "c")
		if got := told(t, s, g, at(1)); got != "a 1 2_0 true" {
			t.Errorf("%q", got)
		}
	})
}

func TestMemoryIsOfOneHandle(t *testing.T) {
	other := func(tx uint64) shapes.Position {
		return shapes.Position{Handle: "i", Offset: shapes.LogOffset(tx, 0)}
	}
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		land(t, s, g, at(1), at(2), "a")
		land(t, s, g, at(2), at(3), "a")
		land(t, s, g, other(1), other(2), "b")
		for _, pos := range []shapes.Position{at(1), at(2), other(2)} {
			if got := told(t, s, g, pos); got != "" {
				t.Errorf("of the old handle, at %v: %q", pos, got)
			}
		}
		if got := told(t, s, g, other(1)); got != "b 1 2_0 true" {
			t.Errorf("of the new one: %q", got)
		}
	})
}

// A handle that is rotated is forgotten, whoever hears of it, and what still lands of it
// is not remembered. Where it is sure, everybody at a place of it hears the same at once,
// and nobody asks.
func TestMemoryEndsWithTheHandle(t *testing.T) {
	rotated := &shapes.Rotated{Handle: "new"}
	for name, hear := range map[string]func(t *testing.T, s *script, g *Group){
		"a flight": func(t *testing.T, s *script, g *Group) {
			defer g.Join(def, at(9)).Leave()
			s.one(t).reply <- reply{err: rotated}
		},
		"a read": func(t *testing.T, s *script, g *Group) {
			go g.Read(t.Context(), def, at(9))
			s.one(t).reply <- reply{err: rotated}
		},
		"a body": func(t *testing.T, s *script, g *Group) {
			go g.Read(t.Context(), def, at(9))
			s.one(t).reply <- reply{page: &shapes.Page{Next: at(10), Messages: rotates{}, Close: func() error { return nil }}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *script, g *Group) {
				land(t, s, g, at(1), at(2), "a")
				late := g.Join(def, at(3))
				defer late.Leave()
				c := s.one(t)
				hear(t, s, g)
				synctest.Wait()
				c.reply <- reply{news: news(4, true)}
				synctest.Wait()
				for _, tx := range []uint64{1, 3} {
					if name == "a body" {
						if got := told(t, s, g, at(tx)); got != "" {
							t.Errorf("from %d: %q", tx, got)
						}
						continue
					}
					isGone(t, s, g, at(tx), rotated)
				}
			})
		})
	}
}

// isGone sees that a place is known to be rotated, to who waits and to who reads.
func isGone(t *testing.T, s *script, g *Group, pos shapes.Position, how error) {
	t.Helper()
	ticket := g.Join(def, pos)
	defer ticket.Leave()
	_, read := g.Read(t.Context(), def, pos)
	if !landed(ticket) || len(s.pending()) != 0 {
		t.Fatalf("%v was asked for", pos)
	}
	if _, err := ticket.Result(); err != how || read != how {
		t.Errorf("%v: %v, %v", pos, err, read)
	}
}

// A handle that an answer names is not gone, whatever was said of it before.
func TestAHandleThatIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		ticket := g.Join(def, at(1))
		s.one(t).reply <- reply{err: &shapes.Rotated{}}
		if !landed(ticket) {
			t.Fatal("not landed")
		}
		ticket.Leave()
		go func() {
			if page, err := g.Read(t.Context(), def, shapes.Position{}); err == nil {
				_ = page.Close()
			}
		}()
		s.one(t).reply <- reply{page: &shapes.Page{Next: at(1), Messages: shapes.NewScanner(strings.NewReader("[]")), Close: func() error { return nil }}}
		synctest.Wait()
		if got := told(t, s, g, at(1)); got != "" {
			t.Errorf("%q", got)
		}
	})
}

// rotates is the body of a shape that is rotated at once.
type rotates struct{}

func (rotates) Next(int) (shapes.Message, error) { return shapes.Message{}, &shapes.Rotated{} }

// A shape nobody asks about is forgotten after a while, and one that is asked about, if
// only from memory, is not.
func TestMemoryEndsAfterTheLastReader(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		land(t, s, g, at(1), at(2), "a")
		for range 3 {
			time.Sleep(9 * time.Second)
			if got := told(t, s, g, at(1)); got == "" {
				t.Fatal("forgotten too early")
			}
		}
		if st := g.Stats(); st.Shapes != 1 || st.RingBytes != entryBytes+1 {
			t.Errorf("%+v", st)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if st := g.Stats(); st.Shapes != 0 || st.RingBytes != 0 || len(g.environments) != 0 || g.store.ages.Len() != 0 {
			t.Errorf("%+v, %d environments", st, len(g.environments))
		}
		if got := told(t, s, g, at(1)); got != "" {
			t.Errorf("%q", got)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	row := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		config Config
		lost   uint64 // up to this transaction
	}{
		"entries":       {Config{RingEntries: 3}, 7},
		"bytes":         {Config{RingBytes: 3 * (1000 + entryBytes)}, 7},
		"less by one":   {Config{RingBytes: 3*(1000+entryBytes) - 1}, 8},
		"bytes of all":  {Config{AllRingBytes: 3 * (1000 + entryBytes)}, 7},
		"nothing":       {Config{RingBytes: -1}, 10},
		"one too long":  {Config{RingBytes: 1000}, 9}, // the last is remembered beside it
		"much too long": {Config{RingBytes: 1000, AllRingBytes: largest*(1000+entryBytes) - 1}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				c.config.Source = s
				g := New(c.config)
				defer g.Close()
				for tx := range uint64(10) {
					land(t, s, g, at(tx+1), at(tx+2), row)
				}
				for tx := range uint64(10) {
					if known := told(t, s, g, at(tx+1)) != ""; known != (tx >= c.lost) {
						t.Errorf("news from %d is known: %v", tx+1, known)
					}
				}
			})
		})
	}
}

// What all rings hold is bounded together: the oldest goes, whose it may be.
func TestTheOldestOfAllGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := New(Config{Source: s, AllRingBytes: 2 * (entryBytes + 1)})
		defer g.Close()
		of := func(id string) *shapes.Definition {
			return shapes.Define(shapes.V2Table, []string{"id"}, shapes.Equal("id", id))
		}
		for _, id := range []string{"1", "2", "3"} {
			defer g.Join(of(id), at(1)).Leave()
			s.one(t).reply <- reply{news: &shapes.News{Next: at(2), Batch: shapes.Batch{Rows: []byte(id), Count: 1, UpToDate: true}}}
			synctest.Wait()
		}
		for id, known := range map[string]bool{"1": false, "2": true, "3": true} {
			ticket := g.Join(of(id), at(1))
			if landed(ticket) != known {
				t.Errorf("of %s is known: %v", id, !known)
			}
			ticket.Leave()
		}
	})
}

// News that leads nowhere would be given to its reader again and again.
func TestNewsThatDoesNotMoveIsNotRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		land(t, s, g, at(2), at(2), "a")
		land(t, s, g, at(3), at(2), "b")
		for _, tx := range []uint64{2, 3} {
			if got := told(t, s, g, at(tx)); got != "" {
				t.Errorf("from %d: %q", tx, got)
			}
		}
	})
}

// Several pieces of news that are given as one have a body of their own.
func TestWhatIsJoinedIsFramedAnew(t *testing.T) {
	g := remembering(3)
	defer g.Close()
	for _, pieces := range []int{1, 3, 2} {
		ticket := g.Join(def, at(uint64(4-pieces)))
		got, err := ticket.Result()
		if err != nil || got.Count != pieces {
			t.Fatalf("%d pieces are %+v, %v", pieces, got, err)
		}
		if body, _ := got.Framed.Body(got.Rows, []byte("end")); string(body) != "["+string(got.Rows)+",end]" {
			t.Errorf("%d pieces are framed as %s", pieces, body)
		}
		// Their first piece alone was told others.
		alone := g.shapes[def.Query()].ring.at(at(uint64(4 - pieces)).Offset).news
		if body, _ := alone.Framed.Body(alone.Rows, []byte("end")); string(body) != "["+string(alone.Rows)+",end]" {
			t.Errorf("the first of %d pieces is framed as %s", pieces, body)
		}
		ticket.Leave()
	}
}
