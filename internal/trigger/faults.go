package trigger

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// warnEvery is the least time between two warnings.
const warnEvery = 10 * time.Second

// faults counts how often claims could not be had or kept, and says so now and then.
type faults struct {
	log zerolog.Logger

	mu         sync.Mutex
	total      uint64
	last, lost time.Time // of the last warnings
	down       bool
}

// note counts that Redis did not answer.
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

// noteLost counts a claim that was had, and is gone before its time.
func (f *faults) noteLost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	if now := time.Now(); now.Sub(f.lost) >= warnEvery {
		f.lost = now
		f.log.Warn().Uint64("faults", f.total).
			Msg("Redis has lost the claim of a trigger, as one does that comes back empty: another with the same key or token may have made a run in the other table meanwhile")
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

// Faults is how often Redis did not answer a trigger, or lost its claim.
func (s *Service) Faults() uint64 {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return s.faults.total
}
