package flight

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Config of a Group.
type Config struct {
	// Source is asked. Required.
	Source shapes.Source
	// Linger is how long a call that nobody waits for stays open. Default 3 s;
	// negative: not at all.
	Linger time.Duration
	// CompleteBytes and CompleteWithin bound how far a live answer that is not
	// up to date is completed by reading on. Defaults: 1 MiB and 100 ms.
	CompleteBytes  int
	CompleteWithin time.Duration
	// Landed is told of each flight that lands how many waited for it then. It
	// must be quick. May be nil.
	Landed func(waiters int)
}

// Group is the flights over one Source. It is safe for concurrent use; Close
// ends it.
type Group struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	flights map[key]*flight // in the air; a flight leaves the map before it lands
}

// key is the identity of a flight.
type key struct {
	query string
	pos   shapes.Position
}

var errClosed = &shapes.Unavailable{Err: errors.New("this gateway is shutting down")}

// New makes a Group. It asks nothing until somebody joins.
func New(c Config) *Group {
	switch {
	case c.Linger == 0:
		c.Linger = 3 * time.Second
	case c.Linger < 0:
		c.Linger = 0
	}
	if c.CompleteBytes == 0 {
		c.CompleteBytes = 1 << 20
	}
	if c.CompleteWithin == 0 {
		c.CompleteWithin = 100 * time.Millisecond
	}
	g := &Group{config: c, flights: map[key]*flight{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// InAir is how many flights there are now: positions at which the upstream is asked.
func (g *Group) InAir() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.flights)
}

// Close ends all flights, which land with *shapes.Unavailable, and returns when
// every call has ended.
func (g *Group) Close() {
	g.mu.Lock()
	g.cancel()
	g.mu.Unlock()
	g.done.Wait()
}

// Once reads without sharing, and without the patience that the Source may have.
func (g *Group) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	if patient, ok := g.config.Source.(shapes.Patient); ok {
		return patient.Once(ctx, def, pos)
	}
	return g.config.Source.Read(ctx, def, pos)
}

// Down is what is wrong with a shape at this moment, as far as the Source knows,
// or nil. A flight of such a shape is in the air, and is not getting anywhere.
func (g *Group) Down(def *shapes.Definition) error {
	if patient, ok := g.config.Source.(shapes.Patient); ok {
		return patient.Down(def)
	}
	return nil
}

// Read asks the Source without sharing.
func (g *Group) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return g.config.Source.Read(ctx, def, pos)
}

// Join gives a ticket for what follows pos: a seat in the flight that is in the
// air there, or in a new one. The caller gives it back with Leave.
func (g *Group) Join(def *shapes.Definition, pos shapes.Position) *Ticket {
	k := key{def.Query(), pos}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.flights[k]
	if f == nil {
		f = &flight{group: g, key: k, def: def, landed: make(chan struct{})}
		if g.ctx.Err() != nil {
			f.err = errClosed
			close(f.landed)
			return &Ticket{flight: f}
		}
		ctx, cancel := context.WithCancel(g.ctx)
		f.cancel = cancel
		g.flights[k] = f
		g.done.Go(func() { f.fly(ctx) })
	}
	f.waiters++
	if f.linger != nil {
		f.linger.Stop()
		f.linger = nil
	}
	return &Ticket{flight: f}
}

// Ticket is one reader's seat in a flight. It belongs to one goroutine.
type Ticket struct {
	flight *flight
	left   bool
}

// Landed is closed when there is a Result.
func (t *Ticket) Landed() <-chan struct{} { return t.flight.landed }

// Result is what the flight brought: news with at least one row, or an error
// as shapes.Source gives them. It may be called only after Landed is closed.
func (t *Ticket) Result() (*shapes.News, error) { return t.flight.news, t.flight.err }

// Leave gives the ticket back, landed or not. Further calls do nothing.
func (t *Ticket) Leave() {
	if t.left {
		return
	}
	t.left = true
	t.flight.leave()
}
