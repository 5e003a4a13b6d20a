package trigger

import (
	"context"
	"errors"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// mostWinners bounds how often a trigger finds in its slot a run that no longer has
// the key, and tries anew.
const mostWinners = 5

// once makes a run with an idempotency key, unless there is one.
func (s *Service) once(ctx context.Context, n runstore.NewRun) (Result, error) {
	slot := claims.ForKey(n.EnvironmentID, n.TaskIdentifier, *n.IdempotencyKey)
	life := s.claimLife(*n.IdempotencyKeyExpiresAt)
	for range mostWinners {
		held, winner, err := s.enter(ctx, slot, life)
		if errors.Is(err, ErrBusy) {
			return s.unpublished(ctx, n)
		}
		if err != nil {
			return Result{}, err
		}
		if held != nil {
			return s.under(ctx, held, func(ctx context.Context) (Result, error) { return s.underKey(ctx, held, n) })
		}
		result, live, err := s.winner(ctx, slot, n, winner)
		if live || err != nil {
			return result, err
		}
		if err := s.claims.Forget(ctx, slot, winner); err != nil {
			s.faults.note(err) // the next round finds out the rest
		}
	}
	return s.unpublished(ctx, n)
}

// unpublished is the live run of a key whose slot does not tell of it, as when what
// was to be published is lost. Where there is none, somebody is at work.
func (s *Service) unpublished(ctx context.Context, n runstore.NewRun) (Result, error) {
	runs, err := s.store.FindByIdempotencyKey(ctx, n.EnvironmentID, n.TaskIdentifier, *n.IdempotencyKey)
	if err != nil {
		return Result{}, err
	}
	for _, run := range runs {
		if s.live(run, n) {
			return cached(run), nil
		}
	}
	return Result{}, ErrBusy
}

// winner is the run that another trigger has published, if it still has the key.
// The platform's may be in the buffer.
func (s *Service) winner(ctx context.Context, slot claims.Slot, n runstore.NewRun, id string) (r Result, live bool, err error) {
	friendly, err := runid.ParseRun(id)
	if err != nil {
		return Result{}, false, nil // nobody's run
	}
	run, err := s.store.OnPrimary().FindByFriendlyID(ctx, n.EnvironmentID, friendly)
	if isMissing(err) {
		b, ok := s.buffered(ctx, slot)
		return b, ok && b.FriendlyID == id, nil
	}
	if err != nil || !s.live(run, n) {
		return Result{}, false, err
	}
	return cached(run), true, nil
}

// underKey looks for the key in the buffer and in both tables, and makes the run if
// no live one has it. The buffer comes first: a run leaves it after it was written
// to a table, so whoever looks in this order cannot miss it.
func (s *Service) underKey(ctx context.Context, h *hold, n runstore.NewRun) (Result, error) {
	for range mostWinners {
		if !h.open {
			if b, ok := s.buffered(ctx, h.slot); ok {
				return b, nil
			}
		}
		run, err := s.existing(ctx, n)
		if err != nil {
			return Result{}, err
		}
		if run != nil {
			return cached(*run), nil
		}
		result, err := s.unused(ctx, n)
		if unique, ok := errors.AsType[*runstore.UniqueError](err); ok && unique.Unique == runstore.UniqueIdempotencyKey {
			continue // somebody without a claim was faster
		}
		return result, err
	}
	return Result{}, ErrBusy
}

// existing is the live run that has the key, in either table. Those that have it
// and are not live lose it.
func (s *Service) existing(ctx context.Context, n runstore.NewRun) (found *runstore.Run, err error) {
	runs, err := s.store.FindByIdempotencyKey(ctx, n.EnvironmentID, n.TaskIdentifier, *n.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	for i, run := range runs {
		if s.live(run, n) {
			if found == nil {
				found = &runs[i]
			}
			continue
		}
		if _, err := s.store.ClearIdempotencyKey(ctx, run.Key(), *n.IdempotencyKey); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// live says that a run answers for the key of a new one: it has the key, which has
// not expired, and has not failed.
func (s *Service) live(run runstore.Run, n runstore.NewRun) bool {
	return run.IdempotencyKey != nil && *run.IdempotencyKey == *n.IdempotencyKey && run.TaskIdentifier == n.TaskIdentifier &&
		(run.IdempotencyKeyExpiresAt == nil || !run.IdempotencyKeyExpiresAt.Before(s.now())) && !run.Status.Failed()
}

// buffered is the run that the platform's buffer has under the key. A buffer that
// does not answer has none.
func (s *Service) buffered(ctx context.Context, slot claims.Slot) (Result, bool) {
	b, ok, err := s.claims.Buffered(ctx, slot)
	if err == nil && ok && b.ExpiresAt != nil && b.ExpiresAt.Before(s.now()) {
		ok = false
		_, err = s.claims.Reset(ctx, slot)
	}
	if err != nil {
		s.faults.note(err)
	}
	if err != nil || !ok {
		return Result{}, false
	}
	friendly, err := runid.ParseRun(b.Run)
	return Result{ID: friendly.Suffix(), FriendlyID: b.Run, IsCached: true}, err == nil
}

// unused makes a run, whose token, if it has one, must not have been used in either
// table. A token is claimed as a key is, and always after it, so that no two wait
// for each other.
func (s *Service) unused(ctx context.Context, n runstore.NewRun) (Result, error) {
	if n.OneTimeUseToken == nil {
		return s.create(ctx, n)
	}
	held, _, err := s.enter(ctx, claims.ForToken(*n.OneTimeUseToken), longestClaim)
	if errors.Is(err, ErrBusy) { // its use may be in the tables though the slot does not say so
		if own, was, err := s.used(ctx, n); was || err != nil {
			return own, err
		}
		err = ErrTokenBusy
	}
	if err != nil {
		return Result{}, err
	}
	if held == nil {
		return Result{}, ErrTokenUsed
	}
	held.late = ErrTokenBusy
	return s.under(ctx, held, func(ctx context.Context) (Result, error) {
		if own, was, err := s.used(ctx, n); was || err != nil {
			return own, err
		}
		return s.create(ctx, n)
	})
}

// used says whether a token was used by an earlier try of the same request, and for
// which run. If it was used for another that is ErrTokenUsed.
func (s *Service) used(ctx context.Context, n runstore.NewRun) (own Result, was bool, err error) {
	runs, err := s.store.FindByOneTimeUseToken(ctx, n.EnvironmentID, *n.OneTimeUseToken)
	if err != nil || len(runs) == 0 {
		return Result{}, false, err
	}
	for _, run := range runs {
		if run.ID == n.ID {
			return made(run), true, nil
		}
	}
	return Result{}, false, ErrTokenUsed
}

func cached(run runstore.Run) Result {
	return Result{ID: run.ID, FriendlyID: run.FriendlyID, Run: &run, IsCached: true}
}
