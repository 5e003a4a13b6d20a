package trigger

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// lookAgain bounds how long is looked for what a lost claim has led to.
const lookAgain = 5 * time.Second

// lostClaim counts the claim under which a run was found or made, and which was gone
// when that was to be published. Another trigger may have made a run in the other table
// meanwhile: then the log names both, since nothing can be taken back. One that comes
// later is not seen here.
func (s *Service) lostClaim(ctx context.Context, run *runstore.Run) {
	s.faults.noteLost()
	if run == nil { // it is in the buffer
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	others, err := s.withTheSame(ctx, *run)
	if err != nil {
		s.log.Warn().Err(err).Str("run", run.FriendlyID).
			Msg("it is not known whether there is another run with the same key or token")
		return
	}
	for _, other := range others {
		if other.ID != run.ID {
			s.log.Warn().Str("run", run.FriendlyID).Str("other", other.FriendlyID).
				Msg("there is another run with the same key or token: later triggers of the key get that of task_run_v2")
		}
	}
}

// withTheSame are the runs that have a run's key or token, in both tables.
func (s *Service) withTheSame(ctx context.Context, run runstore.Run) (all []runstore.Run, err error) {
	if run.OneTimeUseToken != nil {
		if all, err = s.store.FindByOneTimeUseToken(ctx, run.EnvironmentID, *run.OneTimeUseToken); err != nil {
			return nil, err
		}
	}
	if run.IdempotencyKey == nil {
		return all, nil
	}
	keyed, err := s.store.FindByIdempotencyKey(ctx, run.EnvironmentID, run.TaskIdentifier, *run.IdempotencyKey)
	return append(all, keyed...), err
}
