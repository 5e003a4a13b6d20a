package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Config says where a simulation writes, and how much.
type Config struct {
	// Store is written to. Required.
	Store *runstore.Store

	// OrganizationID, ProjectID and EnvironmentID own the runs. Required; the
	// runs' environment type is DEVELOPMENT.
	OrganizationID string
	ProjectID      string
	EnvironmentID  string

	// Rate is how many rows change in a second, on average over a minute. About
	// two of them are those of the runs that go on. Default: 8.
	Rate float64

	// Seed makes the same stories come again. With the default, 0, they are new
	// each time.
	Seed uint64

	// Speed is how many times faster than life the stories go. Rate goes with
	// it. Default: 1. For tests.
	Speed float64

	// Log gets what could not be written. Default: nothing.
	Log zerolog.Logger
}

// Current names what can be followed for as long as the simulation runs, by
// friendly ids.
type Current struct {
	Batch  runid.Friendly // with runs in both tables
	Legacy runid.Friendly // a run of that batch in the legacy table
	V2     runid.Friendly // and one in the other
}

// Simulation is a workload. Run it once.
type Simulation struct {
	store *runstore.Store
	owner owner
	rate  float64
	speed float64
	rand  *rand.Rand // for Run's goroutine alone
	mint  *runid.Minter
	log   zerolog.Logger

	performing []*performance
	number     int32 // of runs made

	ready chan struct{}
	once  sync.Once

	mu      sync.Mutex
	current Current
}

type owner struct{ organization, project, environment string }

// New makes a simulation. It writes nothing before Run.
func New(c Config) (*Simulation, error) {
	if c.Store == nil || c.OrganizationID == "" || c.ProjectID == "" || c.EnvironmentID == "" {
		return nil, errors.New("simulate: Config lacks its store, organization, project or environment")
	}
	if c.Rate < 0 || c.Speed < 0 {
		return nil, fmt.Errorf("simulate: Config has rate %v and speed %v: neither can be negative", c.Rate, c.Speed)
	}
	if c.Rate == 0 {
		c.Rate = 8
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	var ids rand.Source // nil: the system's
	seed := c.Seed
	if seed == 0 {
		seed = rand.Uint64()
	} else {
		ids = rand.NewPCG(seed, 2)
	}
	return &Simulation{
		store: c.Store,
		owner: owner{c.OrganizationID, c.ProjectID, c.EnvironmentID},
		rate:  c.Rate, speed: c.Speed,
		rand:  rand.New(rand.NewPCG(seed, 1)),
		mint:  runid.NewMinter(runid.MinterConfig{Source: ids}),
		log:   c.Log,
		ready: make(chan struct{}),
	}, nil
}

// Ready is closed when Current names something.
func (s *Simulation) Ready() <-chan struct{} { return s.ready }

// Current is what goes on. Its ids change only if someone deletes those runs.
// Before Ready it names nothing. It is safe for concurrent use.
func (s *Simulation) Current() Current {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// closing is how long Run goes on after its context, to end what it began.
const closing = 10 * time.Second

// Run performs stories until ctx ends. What cannot be written is logged and
// tried again, so that a database that restarts only pauses it. In the end it
// cancels the runs that are not over, as far as that can be done within ten
// seconds, and returns; no goroutine is left.
func (s *Simulation) Run(ctx context.Context) {
	pulse := &pulse{every: s.real(time.Second)}
	next := time.Now() // when the next story begins
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.close(ctx, pulse)
			return
		case <-timer.C:
		}
		now := time.Now()
		due, err := s.advance(ctx, pulse, &next, now)
		if err != nil && ctx.Err() == nil {
			const pause = time.Second
			s.log.Warn().Err(err).Dur("pause", pause).Msg("the simulated workload could not write; it tries again")
			due = now.Add(pause)
		}
		timer.Reset(time.Until(due))
	}
}

// advance does whatever is due, and says when to come again.
func (s *Simulation) advance(ctx context.Context, p *pulse, next *time.Time, now time.Time) (due time.Time, err error) {
	if !now.Before(p.due) {
		if err := s.beatPulse(ctx, p, now); err != nil {
			return now, err
		}
	}
	if !now.Before(*next) {
		story := write(s.rand)
		s.performing = append(s.performing, newPerformance(story, now))
		*next = now.Add(s.real(s.until(story)))
	}
	due = p.due
	if next.Before(due) {
		due = *next
	}
	going := s.performing[:0]
	for i, play := range s.performing {
		if err := s.perform(ctx, play, now); err != nil {
			s.performing = append(going, s.performing[i:]...)
			return now, err
		}
		if play.over() {
			continue
		}
		going = append(going, play)
		if at := play.due(s.speed); at.Before(due) {
			due = at
		}
	}
	s.performing = going
	return due, nil
}

// until is how long a story makes the next one wait, at life's own speed, so
// that the rate comes out right.
func (s *Simulation) until(story *story) time.Duration {
	rate := max(s.rate-pulseRate, 0.5)
	return time.Duration(float64(len(story.beats)) / rate * float64(time.Second))
}

// real is how long a stretch of a story's time takes.
func (s *Simulation) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.speed)
}

// close ends what is not over.
func (s *Simulation) close(ctx context.Context, p *pulse) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	var errs []error
	for _, play := range append(s.performing, &p.performance) {
		errs = append(errs, s.abandon(ctx, play))
	}
	if err := errors.Join(errs...); err != nil {
		s.log.Warn().Err(err).Msg("some simulated runs were left unfinished")
	}
}
