package trigger

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Reschedule gives a run that is still delayed another time. One that is not is a
// *StatusError.
func (s *Service) Reschedule(ctx context.Context, environmentID, id string, until time.Time) (runstore.Run, error) {
	if until.IsZero() {
		return runstore.Run{}, &InvalidError{Field: "delay", Reason: "is empty"}
	}
	run, err := s.find(ctx, environmentID, id)
	if err != nil {
		return run, err
	}
	err = s.store.WithLocked(ctx, run.Key(), func(in *runstore.Store, now runstore.Run) (err error) {
		if now.Status != runstore.Delayed {
			return &StatusError{Status: now.Status, Reason: "only a delayed run can be rescheduled"}
		}
		run, err = in.Reschedule(ctx, now.Key(), until, &until)
		return err
	})
	return run, missing("run", err)
}
