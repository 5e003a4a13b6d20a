package flight

import (
	"context"
	"errors"
	"sync"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// readKey tells the reads of a shape apart.
type readKey struct {
	pos  shapes.Position
	once bool
}

// Read asks the Source, and shares the call with whoever asks the same while the body
// is small enough to be held.
func (g *Group) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return g.read(ctx, def, readKey{pos, false})
}

// Once is Read without the patience that the Source may have.
func (g *Group) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return g.read(ctx, def, readKey{pos, true})
}

func (g *Group) read(ctx context.Context, def *shapes.Definition, key readKey) (*shapes.Page, error) {
	return g.seats(ctx, question{def, key})[0].Read(ctx)
}

// await waits until a call has ended. A reader who leaves before gives back the seat,
// and the last one to leave ends the call. Whether the call has ended is decided under
// the lock: a reader whom it has ended for takes what it brought, gone or not.
func (g *Group) await(ctx context.Context, on, seat *sharedRead) error {
	select {
	case <-on.done:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if on.ended {
		return nil
	}
	seat.readers--
	if on.readers == 0 && (on.next == nil || on.next.readers == 0) {
		s := on.shape
		on.shape = nil
		delete(s.reads, on.key)
		s.environment.called(begins(on.key.pos))
		on.cancel(nil)
		g.settle(s)
	}
	return context.Cause(ctx)
}

// ask asks the Source.
func (g *Group) ask(ctx context.Context, def *shapes.Definition, key readKey) (*shapes.Page, error) {
	if patient, ok := g.config.Source.(shapes.Patient); ok && key.once {
		return patient.Once(ctx, def, key.pos)
	}
	return g.config.Source.Read(ctx, def, key.pos)
}

// readAlone asks for one reader.
func (g *Group) readAlone(ctx context.Context, q question) (*shapes.Page, error) {
	g.mu.Lock()
	s, err := g.alone(q)
	g.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return g.readAs(ctx, s, q)
}

// alone counts a call for one reader.
func (g *Group) alone(q question) (*shape, error) {
	defer g.settled(q.def)
	if g.ctx.Err() != nil {
		return nil, errClosed
	}
	if err := g.admit(q); err != nil {
		return nil, err
	}
	s := g.shapes[q.def.Query()]
	s.alone++
	return s, nil
}

// readAs asks for one reader, for whom it was counted.
func (g *Group) readAs(ctx context.Context, s *shape, q question) (*shapes.Page, error) {
	page, err := g.ask(ctx, q.def, q.key)
	if err != nil {
		g.ended(s, q.key, err)
		return nil, err
	}
	g.locked(func() { s.ring.named(q.key.pos, page.Next) })
	closed := page.Close
	page.Close = sync.OnceValue(func() error {
		g.ended(s, q.key, nil)
		return closed()
	})
	return page, nil
}

// ended takes in that a read that is not shared has ended, and how.
func (g *Group) ended(s *shape, key readKey, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard(s, key, err)
	s.alone--
	s.environment.called(begins(key.pos))
	g.settle(s)
}

// heard takes in what an error says about a shape. g.mu is held.
func (g *Group) heard(s *shape, key readKey, err error) {
	if how, rotated := errors.AsType[*shapes.Rotated](err); rotated && !begins(key.pos) {
		if error(how) != err {
			how = nil // an answer broke off with it
		}
		g.store.rotated(s, key.pos, how)
	}
}
