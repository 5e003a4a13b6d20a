package flight

import (
	"context"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Seat is a reader's place in a read that is out, or will be. It belongs to one
// goroutine, which calls Read, once and always.
type Seat struct {
	group *Group
	q     question
	sent  *sharedRead // the call that was out when the reader came; nil: there was none
	call  *sharedRead // that it has a seat in; nil: it reads alone
	shape *shape      // in which one who reads alone is counted
	err   error       // why it has no seat
}

// Seats takes seats for what is read of one feed at a place in each of its shapes. The
// shapes are of one environment. If that may not have the calls that it takes, every seat
// is refused, and nothing was asked or counted.
func (g *Group) Seats(ctx context.Context, of []*shapes.Definition, at []shapes.Position) []Seat {
	questions := make([]question, len(of))
	for i := range of {
		questions[i] = question{of[i], readKey{pos: at[i]}}
	}
	return g.seats(ctx, questions...)
}

func (g *Group) seats(ctx context.Context, questions ...question) []Seat {
	seats := make([]Seat, len(questions))
	g.mu.Lock()
	defer g.mu.Unlock()
	var calls []question
	for i, q := range questions {
		seats[i] = Seat{group: g, q: q}
		defer g.settled(q.def)
		if seats[i].err = g.refusal(q); seats[i].err == nil && (g.config.ShareBytes < 0 || !g.isOut(q) && !slices.Contains(calls, q)) {
			calls = append(calls, q)
		}
	}
	if len(calls) > 0 {
		if err := g.admit(calls...); err != nil {
			for i := range seats {
				if seats[i].err == nil {
					seats[i].err = err
				}
			}
			return seats
		}
	}
	for i := range seats {
		if seats[i].err == nil {
			seats[i].sit(ctx)
		}
	}
	return seats
}

// refusal is why nothing is asked there.
func (g *Group) refusal(q question) error {
	if g.ctx.Err() != nil {
		return errClosed
	}
	if s := g.shapes[q.def.Query()]; s != nil {
		return s.ring.lost(q.key.pos)
	}
	return nil
}

// isOut says that there is a call to share.
func (g *Group) isOut(q question) bool {
	s := g.shapes[q.def.Query()]
	return s != nil && s.reads[q.key] != nil
}

// sit takes the seat: in a call that is sent now and is counted already, or, if one was
// sent, in the one behind it.
func (s *Seat) sit(ctx context.Context) {
	g := s.group
	sh := g.shapes[s.q.def.Query()]
	if g.config.ShareBytes < 0 {
		sh.alone++
		s.shape = sh
		return
	}
	if s.sent = sh.reads[s.q.key]; s.sent != nil {
		if s.sent.next == nil {
			s.sent.next = g.newCall(ctx, s.q.def, s.q.key)
		}
		s.call = s.sent.next
		s.call.readers++
		return
	}
	s.call = g.newCall(ctx, s.q.def, s.q.key)
	s.call.readers = 1
	s.call.send(sh)
}

// Read gives what was read. A reader whose context ends gives back the seat.
func (s *Seat) Read(ctx context.Context) (*shapes.Page, error) {
	g := s.group
	switch {
	case s.err != nil:
		return nil, s.err
	case s.call == nil:
		return g.readAs(ctx, s.shape, s.q)
	}
	if s.sent != nil {
		if err := g.await(ctx, s.sent, s.call); err != nil {
			return nil, err
		}
		switch {
		case s.sent.goodForLate():
			return s.sent.hold(), nil
		case s.sent.large():
			return s.sent.again(ctx, s.q)
		}
	}
	if err := g.await(ctx, s.call, s.call); err != nil {
		return nil, err
	}
	switch {
	case s.call.err != nil:
		return nil, s.call.err
	case s.call.whole:
		return s.call.hold(), nil
	}
	if page := s.call.take(ctx); page != nil {
		return page, nil
	}
	return s.call.again(ctx, s.q)
}
