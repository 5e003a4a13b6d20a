package trigger

import (
	"context"

	"github.com/realtime-gw/realtime-gw/internal/claims"
)

// ResetIdempotencyKey frees a key of a task, in both tables and in the platform's
// trigger buffer: the next trigger with it makes a new run. It gives the number of
// runs that had the key; if none has it, that is a *NotFoundError. A trigger with
// the key that is under way at the moment counts as one that comes after.
//
// ErrBusy says that the tables were cleared, if they had anything, and Redis did
// not answer: a run may still be found by the key for the time that a claim lives.
func (s *Service) ResetIdempotencyKey(ctx context.Context, environmentID, task, key string) (int64, error) {
	if err := checkText("taskIdentifier", task, 1024); err != nil {
		return 0, err
	}
	if err := checkText("idempotencyKey", key, MaxKey); err != nil {
		return 0, err
	}
	buffered, unknown := s.claims.Reset(ctx, claims.ForKey(environmentID, task, key))
	// A run that leaves the buffer is in its table before: so the tables come last.
	n, err := s.store.ClearIdempotencyKeyOfTask(ctx, environmentID, task, key)
	if err != nil {
		return 0, refused(err)
	}
	if buffered {
		n++
	}
	switch {
	case unknown != nil:
		s.faults.note(unknown)
		return n, ErrBusy
	case n == 0:
		return 0, &NotFoundError{What: "idempotency key"}
	}
	return n, nil
}
