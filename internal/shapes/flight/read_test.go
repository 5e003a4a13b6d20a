package flight

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

const (
	someRows = "[" + row + "]"
	allRows  = "[" + row + `,{"headers":{"control":"up-to-date"}}]`
)

// reader is one who reads, and what became of it.
type reader struct {
	ctx   context.Context
	leave context.CancelFunc
	done  chan struct{}
	page  *shapes.Page
	err   error
}

func reads(t *testing.T, g *Group, pos shapes.Position) *reader {
	r := &reader{done: make(chan struct{})}
	r.ctx, r.leave = context.WithCancel(t.Context())
	go func() {
		defer close(r.done)
		r.page, r.err = g.Read(r.ctx, def, pos)
	}()
	synctest.Wait()
	return r
}

func (r *reader) has() bool {
	synctest.Wait()
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// body is what a reader gets to read, which has to be there by now.
func (r *reader) body(t *testing.T) string {
	t.Helper()
	if !r.has() {
		t.Fatal("a reader waits")
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	defer r.page.Close()
	var b shapes.Batch
	if whole, err := b.Fill(r.page.Messages, 1<<30); err != nil || !whole {
		t.Fatal(whole, err)
	}
	if r.page.Whole != nil && string(r.page.Whole.Rows) != string(b.Rows) {
		t.Errorf("whole it is %q, in messages %q", r.page.Whole.Rows, b.Rows)
	}
	if b.UpToDate {
		return string(b.Rows) + " up to date"
	}
	return string(b.Rows)
}

// pages counts those that are open.
type pages struct{ open int }

func (p *pages) of(tx uint64, body string) reply {
	p.open++
	made := page(tx, body)
	made.Schema = "{}"
	made.Close = func() error {
		p.open--
		return nil
	}
	return reply{page: made}
}

var start shapes.Position

// A page that is not up to date is good for everybody who waits for it, whenever they
// came: a thousand who open the same page cost one read.
func TestASnapshotIsReadOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		var all []*reader
		for range 1000 {
			all = append(all, reads(t, g, start))
		}
		s.one(t).reply <- p.of(1, someRows)
		for _, r := range all {
			if got := r.body(t); got != row || r.page.Next != at(1) || r.page.Schema != "{}" {
				t.Fatalf("%q, %+v", got, r.page)
			}
		}
		if n := len(s.pending()); n != 0 || p.open != 0 || g.shareHeld.Load() != 0 || g.Stats().SharedReads != 999 {
			t.Errorf("%d calls, %d open, %d bytes held, %+v", n, p.open, g.shareHeld.Load(), g.Stats())
		}
	})
}

// One that is up to date may be older than a reader who came after it was asked for,
// and has written a row since: that one is answered by a call that was sent later.
func TestAReaderKnowsWhatItWrote(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		first := reads(t, g, at(1))
		before := s.one(t)
		var late []*reader
		for range 100 {
			late = append(late, reads(t, g, at(1)))
		}
		if n := len(s.pending()); n != 0 {
			t.Fatalf("%d more calls while one is out", n)
		}
		before.reply <- p.of(2, allRows)
		if got := first.body(t); got != row+" up to date" {
			t.Errorf("%q", got)
		}
		for _, r := range late {
			if r.has() {
				t.Fatal("answered with what was asked for before it came")
			}
		}
		after := s.one(t)
		third := reads(t, g, at(1))
		after.reply <- p.of(3, "["+row+","+allRows[1:])
		for _, r := range late {
			if got := r.body(t); got != row+","+row+" up to date" || r.page.Next != at(3) {
				t.Fatalf("%q", got)
			}
		}
		s.one(t).reply <- p.of(3, allRows)
		third.body(t)
		if p.open != 0 || g.Stats().SharedReads != 99 {
			t.Errorf("%d open, %+v", p.open, g.Stats())
		}
	})
}

// A call that fails has failed for those who were there; who came later asks again.
func TestAFaultIsNotSharedWithThoseWhoCameLater(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		first := reads(t, g, at(1))
		late := reads(t, g, at(1))
		want := &shapes.Unavailable{Err: errors.New("down")}
		s.one(t).reply <- reply{err: want}
		if !first.has() || first.err != want || late.has() {
			t.Fatalf("%v, %v", first.err, late.err)
		}
		s.one(t).reply <- p.of(2, allRows)
		late.body(t)
	})
}

// A body that breaks off before anybody was given a part of it is a fault.
func TestABodyThatBreaksOffWhileItIsHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		r := reads(t, g, at(1))
		s.one(t).reply <- p.of(2, "["+row)
		var unavailable *shapes.Unavailable
		if !r.has() || !errors.As(r.err, &unavailable) || !errors.Is(r.err, io.ErrUnexpectedEOF) || p.open != 0 || g.shareHeld.Load() != 0 {
			t.Errorf("%v, %d open, %d held", r.err, p.open, g.shareHeld.Load())
		}
	})
}

// A body that is larger than what is held is given to one reader, from its first message
// on and once; the others read alone, and nobody waits for the one who is slow.
func TestALargeBodyIsReadByEachAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		large := "[" + strings.Repeat(row+",", 20_000) + allRows[1:]
		want := strings.Repeat(row+",", 20_000) + row + " up to date"
		reads(t, g, at(1)).leave() // a call that has ended, so that two are there when the next is sent
		_ = s.one(t)
		first := reads(t, g, at(1))
		c := s.one(t)
		second, third := reads(t, g, at(1)), reads(t, g, at(1))
		c.reply <- p.of(2, large)
		if first.has(); first.page == nil || first.page.Whole != nil {
			t.Fatalf("%+v, %v", first.page, first.err)
		}
		if calls := s.pending(); len(calls) != 2 {
			t.Fatalf("%d calls", len(calls))
		} else {
			calls[0].reply <- p.of(3, large)
			calls[1].reply <- p.of(3, large)
		}
		for _, r := range []*reader{first, second, third} {
			if r.has(); r.page.Least < g.config.ShareBytes {
				t.Errorf("known to have %d bytes", r.page.Least)
			}
		}
		for _, r := range []*reader{second, third, first} { // the first is slow
			if got := r.body(t); got != want {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
		}
		if p.open != 0 || g.shareHeld.Load() != 0 || g.Stats().SharedReads != 0 {
			t.Errorf("%d open, %d held, %+v", p.open, g.shareHeld.Load(), g.Stats())
		}
	})
}

// Of several who came before a call was sent that turns out large, one has it.
func TestALargeBodyOfManyHasOneReader(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		inBubble(t, func(t *testing.T, s *script, g *Group) {
			var p pages
			large := "[" + strings.Repeat(row+",", 20_000) + allRows[1:]
			first := reads(t, g, at(1))
			c := s.one(t)
			all := []*reader{reads(t, g, at(1)), reads(t, g, at(1)), reads(t, g, at(1))}
			c.reply <- p.of(2, allRows)
			first.body(t)
			c = s.one(t)
			if leaves { // also the one for whom it was made
				all[0].leave()
				if all[0].has(); all[0].err != context.Canceled {
					t.Errorf("%v", all[0].err)
				}
				all = all[1:]
			}
			c.reply <- p.of(2, large)
			calls := s.pending()
			if len(calls) != len(all)-1 {
				t.Fatalf("%d calls for %d", len(calls), len(all))
			}
			for _, c := range calls {
				c.reply <- p.of(2, large)
			}
			for _, r := range all {
				if got := r.body(t); len(got) < 20_000*len(row) {
					t.Errorf("%d bytes", len(got))
				}
			}
			if p.open != 0 || g.shareHeld.Load() != 0 {
				t.Errorf("%d open, %d held", p.open, g.shareHeld.Load())
			}
		})
	}
}

// A call that nobody wants any more ends at once, and the next one asks anew.
func TestTheLastReaderEndsTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		first, late := reads(t, g, at(1)), reads(t, g, at(1))
		c := s.one(t)
		first.leave()
		if first.has(); first.err != context.Canceled || c.ctx.Err() != nil {
			t.Fatalf("%v, %v", first.err, c.ctx.Err())
		}
		late.leave()
		if late.has(); late.err != context.Canceled || c.ctx.Err() == nil {
			t.Fatalf("%v, %v", late.err, c.ctx.Err())
		}
		next := reads(t, g, at(1))
		s.one(t).reply <- p.of(2, allRows)
		next.body(t)
		if e := g.environments["env"]; e.calls != 0 || p.open != 0 {
			t.Errorf("%+v, %d open", e, p.open)
		}
	})
}

// Readers who do not close what they have make the others read alone, and not wait.
func TestWhatIsHeldToBeSharedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := New(Config{Source: s, AllShareBytes: shareStep + len(row)})
		defer g.Close()
		var p pages
		var all []*reader
		for tx := range uint64(4) {
			all = append(all, reads(t, g, at(tx)))
			s.one(t).reply <- p.of(9, allRows)
		}
		for i, r := range all {
			if r.has(); (r.page.Whole != nil) != (i < 2) {
				t.Errorf("reader %d: %+v", i, r.page)
			}
		}
		for _, r := range all {
			if got := r.body(t); got != row+" up to date" || r.page.Next != at(9) {
				t.Errorf("%q", got)
			}
		}
		if n := g.shareHeld.Load(); n != 0 || p.open != 0 {
			t.Errorf("%d held, %d open", n, p.open)
		}
	})
}

// Whoever reads a large body ends its call by leaving, and by closing it.
func TestALargeBodyEndsWithItsReader(t *testing.T) {
	for _, end := range []func(r *reader){func(r *reader) { r.leave() }, func(r *reader) { r.page.Close() }} {
		inBubble(t, func(t *testing.T, s *script, g *Group) {
			var p pages
			r := reads(t, g, at(1))
			c := s.one(t)
			c.reply <- p.of(2, "["+strings.Repeat(row+",", 20_000)+allRows[1:])
			if r.has(); c.ctx.Err() != nil {
				t.Fatal("ended too early")
			}
			end(r)
			if synctest.Wait(); c.ctx.Err() == nil {
				t.Error("the call goes on")
			}
			r.page.Close()
			time.Sleep(time.Minute)
			synctest.Wait()
			if st := g.Stats(); p.open != 0 || g.shareHeld.Load() != 0 || st.Shapes != 0 {
				t.Errorf("%d open, %d held, %+v", p.open, g.shareHeld.Load(), st)
			}
		})
	}
}

func TestCloseEndsReads(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		early, late := reads(t, g, at(1)), reads(t, g, at(1))
		_ = s.one(t)
		g.Close()
		for _, r := range []*reader{early, late, reads(t, g, at(1))} {
			if !r.has() || r.err != errClosed {
				t.Errorf("%v", r.err)
			}
		}
	})
}

// A large body whose readers have all left is closed, and those who came too late for it
// read alone, once.
func TestALargeBodyThatNobodyTakes(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		large := "[" + strings.Repeat(row+",", 20_000) + allRows[1:]
		early := reads(t, g, at(1))
		c := s.one(t)
		late := reads(t, g, at(1))
		early.leave()
		early.has()
		c.reply <- p.of(2, large)
		again := s.one(t)
		if p.open != 0 || c.ctx.Err() == nil || g.shareHeld.Load() != 0 {
			t.Errorf("%d open, %d held", p.open, g.shareHeld.Load())
		}
		again.reply <- p.of(2, large)
		if got := late.body(t); len(got) < 20_000*len(row) || p.open != 0 {
			t.Errorf("%d bytes, %d open", len(got), p.open)
		}
	})
}

// What was held of a large body is let go once its reader is past it, however long the
// rest takes.
func TestASlowReaderOfALargeBodyHoldsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		r := reads(t, g, at(1))
		s.one(t).reply <- p.of(2, "["+strings.Repeat(row+",", 20_000)+allRows[1:])
		r.has()
		before := g.shareHeld.Load()
		for range 19_000 {
			if _, err := r.page.Messages.Next(1); err != nil {
				t.Fatal(err)
			}
		}
		if after := g.shareHeld.Load(); before != 256<<10 || after != 0 {
			t.Errorf("%d bytes held, then %d", before, after)
		}
		r.body(t)
	})
}
