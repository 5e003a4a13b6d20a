package flight

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// flight is one held call and those who wait for it.
type flight struct {
	outcome
	group  *Group
	def    *shapes.Definition
	pos    shapes.Position
	cancel context.CancelFunc

	// Under group.mu.
	shape   *shape // nil: it is not in the air any more
	waiters int
	linger  turn[*flight] // in group.linger while waiters is 0
}

// outcome is what a ticket is for.
type outcome struct {
	landed chan struct{}
	// Written before landed is closed, read after.
	news  *shapes.News
	err   error
	crowd int // who waited for it then
}

// takeOff begins a flight. g.mu is held.
func (g *Group) takeOff(s *shape, def *shapes.Definition, pos shapes.Position) *flight {
	ctx, cancel := context.WithCancel(g.ctx)
	f := &flight{outcome: outcome{landed: make(chan struct{})}, group: g, shape: s, def: def, pos: pos, cancel: cancel}
	f.linger.item = f
	s.flights = append(s.flights, f)
	g.inAir++
	g.done.Go(func() { f.fly(ctx) })
	return f
}

// ground takes a flight out of the air. g.mu is held.
func (f *flight) ground() {
	s := f.shape
	f.shape = nil
	i := slices.Index(s.flights, f)
	s.flights = slices.Delete(s.flights, i, i+1)
	s.environment.called(begins(f.pos))
	f.group.inAir--
	f.group.linger.remove(&f.linger)
	f.group.settle(s)
}

func (f *flight) leave() {
	g := f.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.waiters--; f.waiters == 0 && f.shape != nil {
		g.linger.push(&f.linger)
	}
}

// abandon ends the call of a flight that nobody has waited for during the linger.
// g.mu is held.
func (f *flight) abandon() {
	f.ground()
	f.cancel()
}

// fly asks until there is news, and lands. Out of the air and into the ring is one step
// under the lock: whoever joins before it has a seat, and whoever joins after it finds
// the news.
func (f *flight) fly(ctx context.Context) {
	defer f.cancel()
	news, err := f.ask(ctx)
	if err != nil && ctx.Err() != nil {
		err = errClosed
	}
	if err == nil {
		landed := *news
		landed.Framed = new(shapes.Framed)
		news = &landed
	}
	g := f.group
	g.mu.Lock()
	waiters := f.waiters
	if s := f.shape; s != nil {
		if how, rotated := errors.AsType[*shapes.Rotated](err); rotated {
			g.store.rotated(s, f.pos, how)
		} else if err == nil {
			s.ring.named(f.pos, news.Next)
			g.store.keep(s, f.pos, news)
		}
		f.ground()
	}
	g.mu.Unlock()
	f.news, f.err, f.crowd = news, err, waiters
	abandoned := ctx.Err() != nil
	close(f.landed)
	runtime.Gosched() // what is left to do can wait, and they have waited
	if g.config.Landed != nil && !abandoned {
		g.config.Landed(waiters)
	}
}

// ask renews the call until it brings rows. Answers without rows may move the
// offset: the next call then goes on from there, while the readers keep their
// place, which stays valid.
func (f *flight) ask(ctx context.Context) (*shapes.News, error) {
	pos := f.pos
	var rounds pace.Pace // an upstream that answers a held call at once is not hammered
	for {
		if err := pace.Pause(ctx, rounds.Next(time.Now())); err != nil {
			return nil, err
		}
		news, err := f.group.config.Source.Wait(ctx, f.def, pos)
		if err != nil {
			return nil, err
		}
		if news.Count > 0 {
			return f.complete(ctx, news), nil
		}
		if news.Next == pos {
			rounds.Stuck()
		}
		pos = news.Next
	}
}

// complete reads on from an answer that is not up to date until it is, within
// the bounds of the configuration. What cannot be completed stays as it is: the
// readers go on from there by themselves, and meet the trouble, if it was one,
// in their own next request.
func (f *flight) complete(ctx context.Context, news *shapes.News) *shapes.News {
	if news.UpToDate {
		return news
	}
	ctx, cancel := context.WithTimeout(ctx, f.group.config.CompleteWithin)
	defer cancel()
	whole := *news
	for !whole.UpToDate {
		room := f.group.config.CompleteBytes - len(whole.Rows)
		more, next, ok := f.readOn(ctx, whole.Next, room)
		if !ok {
			break
		}
		whole.Append(more)
		whole.Next = next
	}
	return &whole
}

// readOn reads one page if it is whole within room bytes and moves the reader.
func (f *flight) readOn(ctx context.Context, pos shapes.Position, room int) (*shapes.Batch, shapes.Position, bool) {
	if room <= 0 {
		return nil, pos, false
	}
	page, err := f.group.Once(ctx, f.def, pos)
	if err != nil {
		return nil, pos, false
	}
	defer func() { _ = page.Close() }()
	var more shapes.Batch
	whole, err := more.Fill(page.Messages, room)
	if err != nil || !whole || !more.UpToDate && page.Next == pos {
		return nil, pos, false
	}
	return &more, page.Next, true
}
