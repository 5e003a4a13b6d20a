package trigger

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/pace"
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
	open  bool      // it is not known whether it was claimed, and others may have it too
	late  error     // what a trigger is told whose work has to end before it is done
}

// enter takes a slot, and waits for another who has it. Either it gives a hold, or
// the run that came of the slot. Where claims cannot be had it gives an open hold:
// at once, unless another was seen at work, who then has the time that one waits for.
func (s *Service) enter(ctx context.Context, slot claims.Slot, life time.Duration) (h *hold, run string, err error) {
	h = &hold{slot: slot, owner: rand.Text(), life: life, late: ErrBusy}
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
		if err := pace.Pause(ctx, wait); err != nil {
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
		result, err := work(ctx)
		s.settle(ctx, h, result, err)
		return result, err
	}
	ctx = context.WithoutCancel(ctx)
	bounded, cancel := context.WithDeadlineCause(ctx, h.until.Add(-claimMargin), h.late)
	defer cancel()
	result, err := work(bounded)
	if err != nil && bounded.Err() != nil {
		_, doubt := errors.AsType[*doubtError](err)
		if err = context.Cause(bounded); doubt {
			err = &doubtError{err}
		}
	}
	s.settle(ctx, h, result, err)
	return result, err
}

// settle says in a slot what came of the work. An open hold may have been claimed, and
// only the answer lost: then others wait for this one.
func (s *Service) settle(ctx context.Context, h *hold, result Result, err error) {
	_, doubt := errors.AsType[*doubtError](err)
	switch {
	case doubt: // the claim lapses
	case err != nil:
		s.release(ctx, h)
	default:
		ctx = context.WithoutCancel(ctx)
		ours := true
		s.tell(h, func() (err error) {
			ours, err = s.claims.Publish(ctx, h.slot, h.owner, result.FriendlyID, h.life)
			ours = ours || err != nil // not known, and counted
			return err
		})
		if !ours && !h.open {
			s.lostClaim(ctx, result.Run)
		}
	}
}

// release lets the next one try. A claim that cannot be released ends by itself.
func (s *Service) release(ctx context.Context, h *hold) {
	ctx = context.WithoutCancel(ctx)
	s.tell(h, func() error { return s.claims.Release(ctx, h.slot, h.owner) })
}

// tell says what came of a claim, once more if that failed: others wait for it. What an
// open hold comes to is said once, since Redis did not answer a moment ago, which is
// counted already.
func (s *Service) tell(h *hold, say func() error) {
	for range 2 {
		err := say()
		if err == nil || h.open {
			return
		}
		s.faults.note(err)
	}
}

// claimLife is for how long a slot of a key is claimed.
func (s *Service) claimLife(expires time.Time) time.Duration {
	return min(longestClaim, max(shortestClaim, expires.Sub(s.now())))
}
