package merge

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// Held is one request on its way: the shell around the State. It belongs to one
// goroutine at a time: whoever began it may leave the waiting to another.
//
// Ten thousand of these wait at the same time, so it has nothing that a request which
// waits for news does not need, and is one allocation; what reads need is made for them.
type Held struct {
	merger  *Merger
	ctx     context.Context
	req     Request
	state   State
	answer  Answer
	err     error // of the side that ended the request
	left    error // why the client is gone
	tickets [Sides]*flight.Ticket
	timer   *time.Timer
	ends    time.Time
	hurried bool
	reads   *reads // nil: none was begun
}

// reads are those of one request.
type reads struct {
	results chan *result
	out     int                       // whose result was not taken yet
	cancels [Sides]context.CancelFunc // of those that are out
	schemas [Sides]string
	seats   [Sides]*flight.Seat // taken for reads that were not begun
	// A side that is read again and again, without rows, has an upstream that goes on
	// without getting anywhere.
	paces [Sides]pace.Pace
}

// Wait waits until the request has its outcome.
//
// Most of the memory that a waiting client takes beyond its connection is the stack from
// here up, which has 4 KiB until it needs more, and is never less than 8 after that. So
// what nearly all wait for is waited for in this frame, with as little else in it as
// there can be.
func (r *Held) Wait() {
	for r.left == nil && !r.state.Phase.Over() {
		if r.reads != nil || r.req.Gains != [Sides]<-chan struct{}{} {
			r.waitForAll()
			continue
		}
		what := wakeEnd
		select {
		case <-r.landed(0):
			what = wakeSide0
		case <-r.landed(1):
			what = wakeSide1
		case <-r.timer.C:
		case <-r.req.Cut:
		case <-r.ctx.Done():
			what = wakeLeft
		}
		r.on(what, nil)
	}
}

// waitForAll waits for one thing to happen, of all that may.
//
//go:noinline
func (r *Held) waitForAll() {
	what, got := wakeEnd, (*result)(nil)
	select {
	case got = <-r.results():
		what = wakeRead
	case <-r.landed(0):
		what = wakeSide0
	case <-r.landed(1):
		what = wakeSide1
	case <-r.req.Gains[0]:
		what = wakeGain0
	case <-r.req.Gains[1]:
		what = wakeGain1
	case <-r.timer.C:
	case <-r.req.Cut:
	case <-r.ctx.Done():
		what = wakeLeft
	}
	r.on(what, got)
}

// wake is what a request waited for.
type wake uint8

const (
	wakeRead  wake = iota
	wakeSide0      // and the side after it
	wakeSide1
	wakeGain0 // and the side after it
	wakeGain1
	wakeEnd
	wakeLeft
)

func (r *Held) results() chan *result {
	if r.reads == nil {
		return nil
	}
	return r.reads.results
}

func (r *Held) landed(side int) <-chan struct{} {
	if r.tickets[side] == nil {
		return nil
	}
	return r.tickets[side].Landed()
}

// on takes in what has happened.
//
//go:noinline
func (r *Held) on(what wake, got *result) {
	switch what {
	case wakeRead:
		r.take(got)
	case wakeSide0, wakeSide1:
		r.land(int(what - wakeSide0))
	case wakeGain0, wakeGain1:
		r.gain(int(what - wakeGain0))
	case wakeEnd:
		r.expire()
	case wakeLeft:
		r.left = context.Cause(r.ctx)
	}
	// News must not wait for the hold's end because the other side is slow.
	if r.state.Phase == Completing && !r.hurried && time.Until(r.ends) > completeWithin {
		r.hurried = true
		r.timer.Reset(completeWithin)
	}
}

// Answer is the outcome, once it was waited for.
func (r *Held) Answer() (*Answer, error) {
	defer r.release()
	if r.left == nil && r.state.Phase == Answered {
		return r.finish()
	}
	r.answer.Close()
	switch {
	case r.left != nil:
		return nil, r.left
	case r.err == nil:
		return nil, &shapes.Unavailable{Err: errNothing}
	}
	return nil, r.err
}

// release gives back everything that the answer does not need: seats in
// flights, whose calls stay open for others, and reads.
func (r *Held) release() {
	r.timer.Stop()
	for _, ticket := range r.tickets {
		if ticket != nil {
			ticket.Leave()
		}
	}
	if r.reads == nil {
		return
	}
	for _, cancel := range r.reads.cancels {
		if cancel != nil {
			cancel()
		}
	}
	for ; r.reads.out > 0; r.reads.out-- {
		got := <-r.reads.results
		r.merger.budget.give(got.taken)
		for _, page := range []*openPage{got.page, got.shared} {
			if page != nil {
				page.close()
			}
		}
	}
}
