package trigger

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// warnEvery is the least time between two warnings.
const warnEvery = 10 * time.Second

// faults counts how often claims could not be had, and says so now and then.
type faults struct {
	log zerolog.Logger

	mu    sync.Mutex
	total uint64
	last  time.Time // of the last warning
	down  bool
}

func (f *faults) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	f.down = true
	if now := time.Now(); now.Sub(f.last) >= warnEvery {
		f.last = now
		f.log.Warn().Err(err).Uint64("faults", f.total).
			Msg("Redis does not answer: triggers with an idempotency key or a one-time-use token are not kept apart, and one can get a run in each table")
	}
}

// over notes that Redis answered.
func (f *faults) over() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		f.down = false
		f.log.Info().Msg("Redis answers again: triggers with the same key are kept apart")
	}
}

// Faults is how often Redis did not answer a trigger.
func (s *Service) Faults() uint64 {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return s.faults.total
}
