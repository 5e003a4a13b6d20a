package pace

import (
	"context"
	"time"
)

// Least is the least time between the beginnings of two calls that are kept apart.
const Least = 500 * time.Millisecond

// atOnce is how many calls go at once: one, and one more that goes on from its answer.
const atOnce = 2

// Pace says when the next of several calls may go. The zero value is for the first of
// them. It is not safe for concurrent use.
type Pace struct {
	calls int       // in a row that came within Least of the one before, and the first
	last  time.Time // when the last one goes
}

// Next counts one more call, and returns how long after now it has to wait.
func (p *Pace) Next(now time.Time) time.Duration {
	at, earliest := now, p.last.Add(Least)
	if p.calls++; !now.Before(earliest) {
		p.calls = 1
	} else if p.calls > atOnce {
		at = earliest
	}
	p.last = at
	return at.Sub(now)
}

// Stuck says that the last call did not lead anywhere at all, so that the next may not go
// at once.
func (p *Pace) Stuck() { p.calls = max(p.calls, atOnce) }

// Pause waits for a time, which may be none, and fails with the cause when ctx ends
// before.
func Pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
