package oracle

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// habits are how a reader differs from the others.
type habits struct {
	prefetch bool // it asks for the next chunk when it has the head of one
	slow     bool // it reads bodies in pieces, and waits for others between
	rests    int  // of a hundred requests, how often it waits for some commits first
	returns  int  // how often it goes away, and comes back to a place it stored
	leaves   int  // how often it forgets everything and starts anew
	streams  bool // it has live answers as a stream of events
}

func drawHabits(r *rand.Rand) habits {
	return habits{
		prefetch: chance(r, 40), slow: chance(r, 15), rests: oneOf(r, 0, 0, 20, 60),
		returns: oneOf(r, 0, 0, 5, 25), leaves: oneOf(r, 0, 0, 0, 5, 20), streams: chance(r, 30),
	}
}

// pause does what the reader does between two requests.
func (h habits) pause(ctx context.Context, r *reader) {
	if r.next != nil {
		return
	}
	closing := false
	r.board.look(func(b *board) { closing = b.closing })
	switch {
	case closing:
	case chance(r.rand, h.leaves):
		r.stored = nil
		r.begin(visit{start, newHeld(r.feed, r.history)})
	case chance(r.rand, h.returns):
		if r.stored == nil {
			r.stored = &visit{r.at, r.held.clone()}
			return
		}
		r.board.count("returned", 1)
		r.begin(*r.stored)
		r.stored = nil
		r.client.CloseIdleConnections()
	case chance(r.rand, h.rests):
		var n int
		r.board.look(func(b *board) { n = b.commits })
		n += 1 + r.rand.IntN(6)
		r.board.wait(ctx, patience, func(b *board) bool { return b.closing || b.commits >= n })
	}
}

// read reads a body to its end.
func (h habits) read(ctx context.Context, r *reader, body io.Reader) ([]byte, error) {
	if !h.slow {
		return io.ReadAll(body)
	}
	var all []byte
	for {
		piece := make([]byte, 1+r.rand.IntN(8<<10))
		n, err := body.Read(piece)
		all = append(all, piece[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		var answers int
		r.board.look(func(b *board) { answers = b.answers })
		r.board.wait(ctx, 10*time.Millisecond, func(b *board) bool { return b.closing || b.answers > answers })
	}
}
