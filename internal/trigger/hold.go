package trigger

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
)

// The times of claims; but for the last they are the platform's.
const (
	longestClaim  = 30 * time.Second
	shortestClaim = 5 * time.Second
	claimPoll     = 25 * time.Millisecond // between two looks at it
	claimMargin   = time.Second           // of a claim's time that is left when the work under it has to be done
)

// hold is a slot that a trigger has.
type hold struct {
	slot  claims.Slot
	owner string
	life  time.Duration
	until time.Time // by then the claim is over at the earliest
	open  bool      // it could not be claimed, and others may have it too
}

// enter takes a slot, and waits for another who has it. Either it gives a hold, or
// the run that came of the slot. Where claims cannot be had it gives an open hold:
// at once, unless another was seen at work, who then has the time that one waits for.
func (s *Service) enter(ctx context.Context, slot claims.Slot, life time.Duration) (h *hold, run string, err error) {
	h = &hold{slot: slot, owner: rand.Text(), life: life}
	deadline := time.Now().Add(s.wait)
	for seen := false; ; {
		h.until = time.Now().Add(life)
		answer, err := s.claims.Claim(ctx, slot, h.owner, life)
		late := !time.Now().Before(deadline)
		switch {
		case ctx.Err() != nil:
			s.release(ctx, h) // it may have been taken
			return nil, "", context.Cause(ctx)
		case err != nil && (late || !seen):
			s.faults.note(err)
			h.open = true
			return h, "", nil
		case err == nil && answer.State == claims.Claimed:
			s.faults.over()
			return h, "", nil
		case err == nil && answer.State == claims.Resolved:
			return nil, answer.Run, nil
		case late:
			return nil, "", ErrBusy
		}
		seen = true
		wait := claimPoll
		if err != nil {
			wait *= 10
		}
		if err := pause(ctx, wait); err != nil {
			return nil, "", err
		}
	}
}

// under does the work for which a slot was taken, and publishes the run that came
// of it. The work ends before the claim does: afterwards another may have the slot.
// It does not end with its client, who may leave while a row is being written; nor
// is the slot released when it is not known whether one was. Then the claim lapses.
func (s *Service) under(ctx context.Context, h *hold, work func(context.Context) (Result, error)) (Result, error) {
	if h.open {
		return work(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	bounded, cancel := context.WithDeadlineCause(ctx, h.until.Add(-claimMargin), ErrBusy)
	defer cancel()
	result, err := work(bounded)
	if err != nil {
		_, doubt := errors.AsType[*doubtError](err)
		if bounded.Err() != nil {
			err = context.Cause(bounded)
		}
		if doubt {
			return Result{}, &doubtError{err}
		}
		s.release(ctx, h)
		return Result{}, err
	}
	s.twice(func() error { return s.claims.Publish(ctx, h.slot, h.owner, result.FriendlyID, h.life) })
	return result, nil
}

// release lets the next one try. A claim that cannot be released ends by itself.
func (s *Service) release(ctx context.Context, h *hold) {
	s.twice(func() error { return s.claims.Release(context.WithoutCancel(ctx), h.slot, h.owner) })
}

// twice says what came of a claim, once more if that failed: others wait for it.
func (s *Service) twice(say func() error) {
	for range 2 {
		err := say()
		if err == nil {
			return
		}
		s.faults.note(err)
	}
}

// claimLife is for how long a slot of a key is claimed.
func (s *Service) claimLife(expires time.Time) time.Duration {
	return min(longestClaim, max(shortestClaim, expires.Sub(s.now())))
}
