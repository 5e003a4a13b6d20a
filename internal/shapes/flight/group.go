package flight

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
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
	// Keep is how long a shape that nobody asks about is remembered, with its recent
	// news. Default 10 s; negative: not at all.
	Keep time.Duration
	// RingEntries and RingBytes are how much recent news of a shape is remembered,
	// and AllRingBytes how much of all shapes together. Defaults: 32, 256 KiB and
	// 64 MiB. Negative: nothing. One piece that is larger than RingBytes is remembered
	// beside them, of a 16th of AllRingBytes at most.
	RingEntries, RingBytes, AllRingBytes int
	// ShareBytes is how large the body of a read may be that is held to be shared, and
	// AllShareBytes how large those are together that anybody has at one time. What is
	// counted is rows, which have up to 2.25 times as much memory.
	// Defaults: 256 KiB and 8 MiB. Negative: nothing is shared.
	ShareBytes, AllShareBytes int
	// PerEnvironment bounds what one environment may have.
	PerEnvironment PerEnvironment
	// Landed is told of each flight that lands how many waited for it then. It
	// must be quick. May be nil.
	Landed func(waiters int)
}

func (c *Config) setDefaults() {
	c.Linger = cmp.Or(c.Linger, 3*time.Second)
	c.CompleteBytes = cmp.Or(c.CompleteBytes, 1<<20)
	c.CompleteWithin = cmp.Or(c.CompleteWithin, 100*time.Millisecond)
	c.Keep = cmp.Or(c.Keep, 10*time.Second)
	c.RingEntries = cmp.Or(c.RingEntries, 32)
	c.RingBytes = cmp.Or(c.RingBytes, 256<<10)
	c.AllRingBytes = cmp.Or(c.AllRingBytes, 64<<20)
	c.ShareBytes = cmp.Or(c.ShareBytes, 256<<10)
	c.AllShareBytes = cmp.Or(c.AllShareBytes, 8<<20)
	c.PerEnvironment.setDefaults()
}

// Group is the flights over one Source. It is safe for concurrent use; Close
// ends it.
type Group struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	over   chan struct{} // closed: landed already

	buffers                  buffers      // of the bodies of shared reads
	shareHeld                atomic.Int64 // of Config.AllShareBytes
	ringHits, limited, reads atomic.Uint64

	mu           sync.Mutex
	shapes       map[string]*shape // by Definition.Query
	environments map[string]*environment
	inAir        int
	store        store
	linger       *queue[*flight] // flights that nobody waits for
	idle         *queue[*shape]  // shapes that nobody asks about
}

var errClosed = &shapes.Unavailable{Err: errors.New("this gateway is shutting down")}

// New makes a Group. It asks nothing until somebody joins.
func New(c Config) *Group {
	c.setDefaults()
	g := &Group{
		config: c, shapes: map[string]*shape{}, environments: map[string]*environment{}, over: make(chan struct{}),
		store: store{entries: c.RingEntries, ringBytes: c.RingBytes, allBytes: c.AllRingBytes},
	}
	close(g.over)
	g.linger = newQueue(c.Linger, (*flight).abandon, func() { g.locked(g.linger.run) })
	g.idle = newQueue(c.Keep, g.forget, func() { g.locked(g.idle.run) })
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

func (g *Group) locked(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// Close ends all flights and shared reads, which fail with *shapes.Unavailable, and returns
// when their calls have ended, but for bodies that are being streamed: those are their
// readers' to close. A read that is not shared ends with its reader's context.
func (g *Group) Close() {
	g.locked(g.cancel)
	g.done.Wait()
	g.locked(func() {
		g.linger.stop()
		g.idle.stop()
	})
}

// Stats is how a Group is doing.
type Stats struct {
	// InAir is how many flights there are now: positions at which the upstream is asked.
	InAir int
	// Shapes are the definitions that somebody asks about, or has until a moment ago.
	Shapes int
	// RingBytes are those of the recent news that is remembered.
	RingBytes int
	// RingHits is how many joined a flight and were answered from memory.
	RingHits uint64
	// SharedBytes are those of the bodies that are held to be shared.
	SharedBytes int
	// SharedReads is how many reads were answered by what another's had brought.
	SharedReads uint64
	// Limited is how often an environment had too much of something.
	Limited uint64
}

// Stats is how the Group is doing.
func (g *Group) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{
		InAir: g.inAir, Shapes: len(g.shapes), RingBytes: g.store.bytes, SharedBytes: int(g.shareHeld.Load()),
		RingHits: g.ringHits.Load(), SharedReads: g.reads.Load(), Limited: g.limited.Load(),
	}
}

// Down is what is wrong with a shape at this moment, as far as the Source knows,
// or nil. A flight of such a shape is in the air, and is not getting anywhere.
func (g *Group) Down(def *shapes.Definition) error {
	if patient, ok := g.config.Source.(shapes.Patient); ok {
		return patient.Down(def)
	}
	return nil
}

// Join gives a ticket for what follows pos: a seat in the flight that is in the
// air there, what is remembered of what followed, or a seat in a new flight. The
// caller gives it back with Leave.
func (g *Group) Join(def *shapes.Definition, pos shapes.Position) *Ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		return g.landed(nil, errClosed)
	}
	s := g.shapes[def.Query()]
	var f *flight
	if s != nil {
		f = s.flight(pos)
	}
	if f == nil {
		defer g.settled(def)
		if s != nil {
			if err := s.ring.lost(pos); err != nil {
				return g.landed(nil, err)
			}
			if news := s.ring.from(pos); news != nil {
				g.ringHits.Add(1)
				return g.landed(news, nil)
			}
		}
		if err := g.admit(question{def, readKey{pos: pos}}); err != nil {
			return g.landed(nil, err)
		}
		f = g.takeOff(g.shapes[def.Query()], def, pos)
	}
	f.waiters++
	g.linger.remove(&f.linger)
	return &Ticket{&f.outcome, f}
}

// landed is a ticket for what is there already.
func (g *Group) landed(news *shapes.News, err error) *Ticket {
	return &Ticket{&outcome{landed: g.over, news: news, err: err}, nil}
}

// Ticket is one reader's seat in a flight. It belongs to one goroutine.
type Ticket struct {
	outcome *outcome
	flight  *flight // nil: it was given back, or was never of one
}

// Landed is closed when there is a Result.
func (t *Ticket) Landed() <-chan struct{} { return t.outcome.landed }

// Result is what the flight brought: news with at least one row, or an error
// as shapes.Source gives them. It may be called only after Landed is closed.
func (t *Ticket) Result() (*shapes.News, error) { return t.outcome.news, t.outcome.err }

// Crowd is how many had a ticket for what was landed when that was, and are told it now; 0:
// it was there already. What is left to do for one of them can wait until all were told. It
// may be called only after Landed is closed.
func (t *Ticket) Crowd() int { return t.outcome.crowd }

// Leave gives the ticket back, landed or not. Further calls do nothing.
func (t *Ticket) Leave() {
	if t.flight == nil {
		return
	}
	f := t.flight
	t.flight = nil
	f.leave()
}
