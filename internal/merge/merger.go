package merge

import (
	"context"
	"errors"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// Config of a Merger.
type Config struct {
	// Upstreams are asked, one for each side. Both may be the same. Required.
	Upstreams [Sides]*flight.Group
	// SeparateDatabases says that the sides are different databases: then their
	// log positions cannot be compared, and nothing is said of them.
	SeparateDatabases bool
	// PageBytes is how much of one side's body is held before an answer is
	// streamed instead. Default 256 KiB, as flight.Config.ShareBytes: what flights could
	// not hold is streamed at once then.
	PageBytes int
	// HeldBytes is how much of all bodies together is held, beyond 8 KiB of each and
	// beyond what the Upstreams hold to share it (flight.Config.AllShareBytes).
	// While that is used up, answers are streamed that otherwise were whole: a
	// thousand readers who do not read must not take a gigabyte. Default 8 MiB.
	HeldBytes int
	// CatchUp bounds a request that is not live until its answer begins.
	// Default 30 s.
	CatchUp time.Duration
}

// completeWithin is how long rows in hand wait for a side that is behind and is
// being read; then they go out, not up to date.
const completeWithin = 100 * time.Millisecond

// Merger reads the shapes of a feed as one log. It is safe for concurrent use.
type Merger struct {
	config  Config
	budget  *budget
	schemas schemas
}

// New makes a Merger.
func New(c Config) *Merger {
	if c.PageBytes == 0 {
		c.PageBytes = 256 << 10
	}
	if c.CatchUp == 0 {
		c.CatchUp = 30 * time.Second
	}
	if c.HeldBytes == 0 {
		c.HeldBytes = 8 << 20
	}
	return &Merger{config: c, budget: &budget{most: int64(c.HeldBytes)}}
}

// Request asks for what follows a place in a feed.
type Request struct {
	// Definitions of the sides; nil where the feed has none.
	Definitions [Sides]*shapes.Definition
	// From is the place. A side without a definition must not be opened.
	From [Sides]shapes.Progress
	// Gains are closed when a side that is not opened has rows: if the request is
	// held, it is opened then. A nil one never is. They are for sides that have a
	// definition.
	Gains [Sides]<-chan struct{}
	// Fixed says that no side may be opened: what gains rows ends the hold, as
	// Cut does.
	Fixed bool
	// Xmin is the least xmin of the snapshots ended so far, as the last
	// Answer gave it.
	Xmin uint64
	// Hold is how long to wait if nothing follows; 0: the request is not live.
	Hold time.Duration
	// Cut ends the holding of a live request at once when it is closed. It may
	// be nil.
	Cut <-chan struct{}
}

// Next answers a request. Its errors are those of shapes.Source, and
// *shapes.ColumnMismatch; *shapes.Rotated of either side is one of the feed.
// The caller closes the Answer.
func (m *Merger) Next(ctx context.Context, req Request) (*Answer, error) {
	h := m.Begin(ctx, req)
	h.Wait()
	return h.Answer()
}

// Begin begins to answer a request, as Next does. Its caller calls Wait and then
// Answer, always: until then seats and calls are held for it.
func (m *Merger) Begin(ctx context.Context, req Request) *Held {
	r := &Held{merger: m, ctx: ctx, req: req}
	r.answer.budget = m.budget
	limit := req.Hold
	if req.Hold == 0 {
		limit, r.req.Cut = m.config.CatchUp, nil
	}
	r.timer = time.NewTimer(limit)
	r.ends = time.Now().Add(limit)
	r.state = State{Live: req.Hold > 0}
	for i := range req.From {
		r.state.Sides[i].Progress = req.From[i]
	}
	r.apply(Event{Kind: Begin})
	return r
}

func (r *Held) apply(e Event) {
	var effects []Effect
	r.state, effects = Step(r.state, e)
	if e.Kind == Begin {
		r.seat(effects)
	}
	for _, effect := range effects {
		switch effect.Kind {
		case Read, ReadOn:
			r.read(effect.Side, effect.Kind)
		case Wait:
			side := &r.state.Sides[effect.Side]
			r.tickets[effect.Side] = r.merger.config.Upstreams[effect.Side].Join(r.req.Definitions[effect.Side], side.Position)
		case Settle:
			r.settle()
		}
	}
}

// settle takes along what is ready at this moment, and waits for nothing.
func (r *Held) settle() {
	for i, ticket := range r.tickets {
		if ticket == nil || r.state.Phase.Over() {
			continue
		}
		select {
		case <-ticket.Landed():
			r.land(i)
		default:
		}
	}
	r.apply(Event{Kind: Settled})
}

// land takes in what a side's wait brought.
func (r *Held) land(side int) {
	ticket := r.tickets[side]
	r.tickets[side] = nil
	news, err := ticket.Result()
	ticket.Leave()
	if err != nil {
		r.fail(side, err)
		return
	}
	r.answer.addNews(side, news)
	r.answer.Crowd = max(r.answer.Crowd, ticket.Crowd())
	r.apply(Event{Kind: News, Side: side, Next: news.Next, UpToDate: news.UpToDate, Rows: news.Count > 0})
}

func (r *Held) gain(side int) {
	r.req.Gains[side] = nil
	if r.req.Fixed {
		r.expire()
		return
	}
	r.apply(Event{Kind: Gained, Side: side})
}

// expire ends the request. A side whose shape is failing at this moment has failed
// it: nobody knows whether there is news of it.
func (r *Held) expire() {
	for i := range r.state.Sides {
		side := &r.state.Sides[i]
		if side.Activity == Resting || r.state.Phase.Over() {
			continue
		}
		if err := r.merger.config.Upstreams[i].Down(r.req.Definitions[i]); err != nil {
			r.fail(i, err)
		}
	}
	r.apply(Event{Kind: Expired})
}

func (r *Held) fail(side int, err error) {
	kind := Failed
	var rotated *shapes.Rotated
	if errors.As(err, &rotated) {
		kind = Rotated
	}
	if r.err == nil || kind == Rotated {
		r.err = err
	}
	r.apply(Event{Kind: kind, Side: side})
}

var errNothing = errors.New("the upstream did not answer in time, or its answer leads nowhere")
