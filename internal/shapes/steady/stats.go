package steady

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// Stats is how a Source is doing.
type Stats struct {
	// Open says that the circuit is open: no shape is answered.
	Open bool
	// Failing is how many shapes fail at this moment, but for those that nobody has asked
	// for since a minute after their last pause.
	Failing int
	// Retries is how many calls were made again so far.
	Retries uint64
}

// Stats is how the Source is doing.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gates.sweep(time.Now()) // in case nothing else happens
	s.forget()
	return Stats{Open: s.gates.open, Failing: len(s.faults), Retries: s.again.Load()}
}

// logOf is the logger of the request that a call is made for, which knows its id, or
// the Source's own if it is made for many.
func (s *Source) logOf(ctx context.Context) *zerolog.Logger {
	if log := zerolog.Ctx(ctx); log.GetLevel() != zerolog.Disabled {
		return log
	}
	return &s.config.Log
}
