package steady

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Config of a Source.
type Config struct {
	// Source is asked. Required.
	Source shapes.Source
	// ReadTimeout bounds how long the head of an answer to a read may take, but
	// for the first of a shape, which has to be made. It must be longer than what
	// the Source needs at most to be sure of a rotation: of one who is cut off
	// before nobody ever hears that the shape is gone. Package electric asks twice
	// about an offset that is out of bounds, for which Electric takes 10 s each
	// time. Default 30 s.
	ReadTimeout time.Duration
	// WaitTimeout bounds a held call. Electric holds one for 20 s, and 10 s
	// more for an offset that it has not got to. Default 60 s.
	WaitTimeout time.Duration
	// Log gets a line when the circuit opens or closes, and, at most once a second,
	// when a shape begins to fail while it is closed. What waiting does not help is
	// an error, once a minute. The zero Logger says nothing.
	Log zerolog.Logger
	// Random draws a duration from zero up to most. Default: evenly.
	Random func(most time.Duration) time.Duration
}

// Source asks another Source until it answers. It is safe for concurrent use, and
// holds nothing that has to be closed.
type Source struct {
	config Config

	again atomic.Uint64 // calls that were made again

	mu      sync.Mutex
	gates   gates
	faults  map[string]*shapes.Unavailable   // of the shapes that fail, the last
	blocked map[string]int                   // callers that may not call now, by shape
	changed chan struct{}                    // closed and replaced when a gate may have opened
	told    struct{ fault, alarm time.Time } // when the log was last told
}

var _ shapes.Patient = (*Source)(nil)

// New makes a Source. It asks nothing yet.
func New(c Config) *Source {
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 30 * time.Second
	}
	if c.WaitTimeout == 0 {
		c.WaitTimeout = 60 * time.Second
	}
	if c.Random == nil {
		c.Random = func(most time.Duration) time.Duration { return rand.N(most + 1) }
	}
	return &Source{
		config: c, gates: newGates(c.Random), faults: make(map[string]*shapes.Unavailable),
		blocked: make(map[string]int), changed: make(chan struct{}),
	}
}

// Read is shapes.Source's. It fails with *shapes.Unavailable only when ctx has
// ended. A body that breaks off is asked for again, and goes on where it was.
func (s *Source) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	reading, err := s.read(ctx, def, pos)
	if err != nil {
		return nil, err
	}
	return newBody(ctx, s, def, pos, reading).page, nil
}

func (s *Source) read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*reading, error) {
	for {
		p, err := s.admit(ctx, def)
		if err != nil {
			return nil, err
		}
		reading, err := s.call(ctx, p, def, pos)
		if !again(ctx, err) {
			return reading, err
		}
		s.again.Add(1)
	}
}

// Wait is shapes.Source's, and fails as Read does. While the shape fails it is
// read first: a held call says nothing for as long as all is well.
func (s *Source) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	for {
		p, err := s.admit(ctx, def)
		if err != nil {
			return nil, err
		}
		if p.probe {
			p.waits = true
			reading, err := s.call(ctx, p, def, pos)
			if again(ctx, err) {
				s.again.Add(1)
				continue
			}
			if err != nil {
				return nil, err
			}
			_ = reading.close(nil) // what it holds comes with the held call, at once
		}
		limited, cancel := context.WithTimeoutCause(ctx, s.config.WaitTimeout, errSilent)
		news, err := s.config.Source.Wait(limited, def, pos)
		cancel()
		err = inTime(limited, def, err)
		s.took(ctx, &pass{shape: def.Query(), begun: p.begun, all: -1}, err)
		if !again(ctx, err) {
			return news, err
		}
		s.again.Add(1)
	}
}

// Once reads once, and not at all if the shape is failing. A body of which a message
// was given goes on where it breaks off, as Read's: the message may be on its way to
// a client.
func (s *Source) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	s.mu.Lock()
	p, _ := s.gates.ask(def.Query(), time.Now())
	s.mu.Unlock()
	if p == nil {
		return nil, s.refusal(def.Query())
	}
	reading, err := s.call(ctx, p, def, pos)
	if err != nil {
		return nil, err
	}
	b := newBody(ctx, s, def, pos, reading)
	b.once = true
	return b.page, nil
}

// Down is what the shape's last call failed with; while the circuit is open, also
// that there was none because of it.
func (s *Source) Down(def *shapes.Definition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults[def.Query()] != nil || s.gates.open && s.blocked[def.Query()] > 0 {
		return s.refused(def.Query())
	}
	return nil
}

var (
	errOpen   = &shapes.Unavailable{Err: errors.New("the upstream answers for no shape, and is asked for another one now and then")}
	errTrial  = &shapes.Unavailable{Err: errors.New("the upstream failed for this shape a moment ago, and is asked for it twice a second at most")}
	errSilent = &shapes.Unavailable{Err: errors.New("the upstream did not answer in time")}
)

// inTime tells a call that took too long from one whose caller left.
func inTime(ctx context.Context, def *shapes.Definition, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return &shapes.Unavailable{Err: fmt.Errorf("%s: %w", def.Table().Side(), errSilent.Err)}
	}
	return err
}

// again says whether a call has to be made again.
func again(ctx context.Context, err error) bool {
	_, fault := errors.AsType[*shapes.Unavailable](err)
	return fault && ctx.Err() == nil
}

// admit waits until a call of the shape may be made.
func (s *Source) admit(ctx context.Context, def *shapes.Definition) (*pass, error) {
	shape := def.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		p, again := s.gates.ask(shape, time.Now())
		if p != nil {
			return p, nil
		}
		changed := s.changed
		s.blocked[shape]++
		s.mu.Unlock()
		var alarm <-chan time.Time
		if !again.IsZero() {
			alarm = time.After(time.Until(again))
		}
		select {
		case <-alarm:
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if s.blocked[shape]--; s.blocked[shape] == 0 {
			delete(s.blocked, shape)
		}
		if ctx.Err() != nil {
			return nil, s.refused(shape)
		}
	}
}

func (s *Source) refusal(shape string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused(shape)
}

// refused is the error of a call that was not made. s.mu is held.
func (s *Source) refused(shape string) error {
	if fault := s.faults[shape]; fault != nil {
		return fault
	}
	if s.gates.open {
		return errOpen
	}
	return errTrial
}

// took takes in what became of a call.
func (s *Source) took(ctx context.Context, p *pass, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault, failed := errors.AsType[*shapes.Unavailable](err)
	if !failed && len(s.gates.shapes) == 0 {
		return // all is well, and was
	}
	was, now := s.gates.open, time.Now()
	switch {
	case failed && (ctx.Err() == nil || fault.RetryAfter > 0): // which is the upstream's word, whoever left
		s.logOf(ctx).Debug().Err(err).Msg("a call to the upstream failed")
		s.tell(fault, s.gates.known(p.shape, now) == nil, now)
		s.gates.fail(p, now, fault.RetryAfter)
		s.faults[p.shape] = fault
	case failed || ctx.Err() != nil && err != nil:
		s.gates.leave(p)
	default:
		s.gates.succeed(p, now)
	}
	s.forget()
	close(s.changed)
	s.changed = make(chan struct{})
	switch open := s.gates.open; {
	case open && !was:
		s.config.Log.Error().Err(err).Msg("the upstream answers for no shape: it is asked now and then until it does")
	case was && !open:
		s.config.Log.Info().Msg("the upstream answers again")
	}
}

// forget drops the faults of shapes that do not fail any more. s.mu is held.
func (s *Source) forget() {
	for shape := range s.faults {
		if !s.gates.failing(shape) {
			delete(s.faults, shape)
		}
	}
}

// tell has the log know of a fault. s.mu is held.
func (s *Source) tell(fault *shapes.Unavailable, first bool, now time.Time) {
	switch {
	case fault.Misconfigured && now.Sub(s.told.alarm) >= time.Minute:
		s.told.alarm, s.told.fault = now, now
		s.config.Log.Error().Err(fault.Err).Msg("the upstream will not answer until somebody mends this")
	case first && !s.gates.open && now.Sub(s.told.fault) >= time.Second:
		s.told.fault = now
		s.config.Log.Warn().Err(fault.Err).Msg("the upstream fails for a shape: it is asked again until it answers")
	}
}
