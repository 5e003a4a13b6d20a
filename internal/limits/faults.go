package limits

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// warnEvery is the least time between two warnings of one fault.
const warnEvery = 10 * time.Second

// faults counts what was let through uncounted, and says so now and then.
type faults struct {
	now func() time.Time
	log zerolog.Logger

	mu     sync.Mutex
	total  uint64
	warned uint64    // of total, at the last warning
	last   time.Time // of the last warning
	down   bool
}

// uncounted notes a request that went on without a slot.
func (f *faults) uncounted(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	f.down = true
	now := f.now()
	if !f.last.IsZero() && now.Sub(f.last) < warnEvery {
		return
	}
	f.log.Warn().Err(err).Uint64("requests", f.total-f.warned).
		Msg("Redis does not answer: live requests are let in uncounted, beyond any limit")
	f.last, f.warned = now, f.total
}

// over notes that Redis answered.
func (f *faults) over() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		f.down = false
		f.log.Info().Uint64("requests", f.total-f.warned).Msg("Redis answers again: live requests are counted")
		f.warned = f.total
	}
}

func (f *faults) count() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}
