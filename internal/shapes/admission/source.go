package admission

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Config of a Source.
type Config struct {
	// Source is asked. Required.
	Source shapes.Patient
	// Known is how many calls there are at the same time that name a handle, and New
	// how many others. Defaults: 80 % of Admits, and 240, 80 % of what Electric admits.
	Known, New int
	// Admits says how many calls that name a handle the upstream admits. It is asked
	// before each, since a version shows itself in an answer. Default: 10,000.
	Admits func() int
	// Patience is how long a call waits for its turn. Default 2 s.
	Patience time.Duration
}

// Source asks another Source, so often at the same time and not more. It is safe for
// concurrent use.
type Source struct {
	source     shapes.Patient
	patience   time.Duration
	known, new budget
	admits     func() int // nil: it does not matter
}

var _ shapes.Patient = (*Source)(nil)

// budget is how many calls of one kind there may be.
type budget struct {
	turns   *semaphore.Weighted // first come, first served
	used    atomic.Int64
	refused atomic.Uint64
}

// New makes a Source.
func New(c Config) *Source {
	s := &Source{source: c.Source, patience: cmp.Or(c.Patience, 2*time.Second)}
	s.known.turns = semaphore.NewWeighted(int64(cmp.Or(c.Known, mostKnown)))
	s.new.turns = semaphore.NewWeighted(int64(cmp.Or(c.New, 240)))
	if c.Known == 0 {
		s.admits = c.Admits
	}
	return s
}

// mostKnown is 80 % of what Electric 1.7.12 admits.
const mostKnown = 8000

// weight is how much of the budget a call takes that names a handle: the less the
// upstream admits, the more.
func (s *Source) weight() int64 {
	if s.admits == nil {
		return 1
	}
	return int64(min(max(1, mostKnown*10/(8*max(1, s.admits()))), mostKnown))
}

// Usage is how a budget is doing.
type Usage struct {
	// Used is how many calls there are now.
	Used int
	// Refused is how many were not made so far, because there were too many.
	Refused uint64
}

// Stats is how the budgets are doing.
type Stats struct{ Known, New Usage }

// Stats is how the budgets are doing.
func (s *Source) Stats() Stats { return Stats{s.known.usage(), s.new.usage()} }

func (b *budget) usage() Usage { return Usage{int(b.used.Load()), b.refused.Load()} }

// errFull says that the upstream has all the calls that it may have.
var errFull = &shapes.Unavailable{RetryAfter: time.Second, Err: errors.New("the upstream has as many calls as it may have at one time")}

// enter waits for a call's turn. What it gives ends the turn, once.
func (s *Source) enter(ctx context.Context, pos shapes.Position) (leave func(), err error) {
	b, weight := &s.known, s.weight()
	if pos.Handle == "" || pos.Offset.Kind == shapes.BeforeAll { // then no handle is sent
		b, weight = &s.new, 1
	}
	if !b.turns.TryAcquire(weight) {
		brief, cancel := context.WithTimeout(ctx, s.patience)
		err := b.turns.Acquire(brief, weight)
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			b.refused.Add(1)
			return nil, errFull
		}
	}
	b.used.Add(1)
	return sync.OnceFunc(func() {
		b.used.Add(-1)
		b.turns.Release(weight)
	}), nil
}

// Read is shapes.Source's. The turn ends when the Page is closed.
func (s *Source) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return s.read(ctx, def, pos, s.source.Read)
}

// Once is shapes.Patient's.
func (s *Source) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return s.read(ctx, def, pos, s.source.Once)
}

type reads func(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error)

func (s *Source) read(ctx context.Context, def *shapes.Definition, pos shapes.Position, ask reads) (*shapes.Page, error) {
	leave, err := s.enter(ctx, pos)
	if err != nil {
		return nil, err
	}
	page, err := ask(ctx, def, pos)
	if err != nil {
		leave()
		return nil, err
	}
	closed := page.Close
	page.Close = func() error {
		defer leave()
		return closed()
	}
	return page, nil
}

// Wait is shapes.Source's.
func (s *Source) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	leave, err := s.enter(ctx, pos)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.source.Wait(ctx, def, pos)
}

// Down is shapes.Patient's.
func (s *Source) Down(def *shapes.Definition) error { return s.source.Down(def) }
