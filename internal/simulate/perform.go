package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// performance is a story on its way.
type performance struct {
	story *story
	began time.Time
	next  int // the beat that comes
	tries int // that the beat has failed
	runs  []actor
	// batch is nil before it is there, after it is closed, and without one. Its id
	// is minted once.
	batch   *runstore.Batch
	batchID string
}

// actor is a run of a performance.
type actor struct {
	id   string       // minted once, so that a create that is tried again is the same
	run  runstore.Run // as it was last seen; zero before it is made
	gone bool         // someone else ended or deleted it
}

// alive says that the run is there, not over, and ours to change.
func (a *actor) alive() bool { return a.run.ID != "" && !a.gone && !a.run.Status.Final() }

func newPerformance(s *story, began time.Time) *performance {
	return &performance{story: s, began: began, runs: make([]actor, len(s.roles))}
}

func (p *performance) over() bool { return p.next == len(p.story.beats) }

// due is the time of the next beat.
func (p *performance) due(speed float64) time.Time {
	return p.began.Add(time.Duration(float64(p.story.beats[p.next].at) / speed))
}

// maxTries is how often a beat is tried. One that cannot be done for another
// reason than a database that is away must not hold up the others for ever.
const maxTries = 10

// perform does the beats that are due. After an error the same beat comes again.
func (s *Simulation) perform(ctx context.Context, p *performance, now time.Time) error {
	for !p.over() && !now.Before(p.due(s.speed)) {
		b := p.story.beats[p.next]
		err := s.do(ctx, p, b)
		if errors.Is(err, runstore.ErrNotFound) {
			p.lose(b)
			err = nil
		}
		if err != nil {
			if p.tries++; p.tries < maxTries || ctx.Err() != nil {
				return err
			}
			s.log.Warn().Err(err).Msg("a simulated run is given up")
			p.lose(b)
		}
		p.next, p.tries = p.next+1, 0
	}
	return nil
}

// lose leaves what a beat is about alone from now on.
func (p *performance) lose(b beat) {
	if b.run < 0 {
		p.batch = nil
		return
	}
	p.runs[b.run].gone = true
}

func (s *Simulation) do(ctx context.Context, p *performance, b beat) error {
	switch b.do {
	case openBatch:
		return s.openBatch(ctx, p)
	case closeBatch:
		return s.closeBatch(ctx, p)
	case create:
		return s.create(ctx, p, b.run)
	}
	a := &p.runs[b.run]
	if a.run.ID == "" || a.gone {
		return nil
	}
	return s.locked(ctx, a, func(in *runstore.Store) (err error) {
		a.run, err = s.change(ctx, in, a.run, p.story.roles[b.run], b)
		return err
	})
}

// locked changes a run, unless someone has ended it through the API meanwhile: a
// run that is over stays over.
func (s *Simulation) locked(ctx context.Context, a *actor, change func(in *runstore.Store) error) error {
	was := a.run
	err := s.store.WithLocked(ctx, a.run.Key(), func(in *runstore.Store, now runstore.Run) error {
		a.run = now
		if now.Status.Final() {
			return nil
		}
		return change(in)
	})
	if err != nil {
		a.run = was // whether it was committed is seen at the next try
	}
	return err
}

// look reads a run anew.
func (s *Simulation) look(ctx context.Context, a *actor) error {
	id, err := runid.ParseRun(a.run.FriendlyID)
	if err != nil {
		return err
	}
	run, err := s.store.FindByFriendlyID(ctx, s.owner.environment, id)
	if err == nil {
		a.run = run
	}
	return err
}

// change makes one change to a run that is alive.
func (s *Simulation) change(ctx context.Context, store *runstore.Store, run runstore.Run, c role, b beat) (runstore.Run, error) {
	key, now := run.Key(), time.Now()
	attempt := int32(1)
	if run.AttemptNumber != nil {
		attempt = *run.AttemptNumber
	}
	usage := run.UsageDurationMs + 250
	cost := float64(usage) * 0.0001
	switch b.do {
	case lock:
		return store.LockToWorker(ctx, key, runstore.Lock{
			LockedByID: "worker_" + c.task, LockedToVersionID: "version_1", TaskVersion: ptr("20260301.1"),
			SDKVersion: ptr("4.5.12"), CLIVersion: ptr("4.5.12"), MachinePreset: ptr("small-1x"), BaseCostInCents: 0.0025,
		})
	case start:
		if run.AttemptNumber != nil {
			return store.StartAttempt(ctx, key, runstore.Attempt{Number: attempt + 1})
		}
		return store.StartAttempt(ctx, key, runstore.Attempt{Number: 1, ExecutedAt: &now, IsWarmStart: ptr(s.rand.IntN(2) == 0)})
	case progress:
		_, err := store.UpdateMetadata(ctx, key, runstore.MetadataUpdate{Metadata: metadata(c.task, b.done)})
		return run, err
	case pushTag:
		_, err := store.PushTags(ctx, key, []string{"checked"})
		return run, err
	case retry:
		return store.RecordRetryOutcome(ctx, key, runstore.Retry{UsageDurationMs: usage, CostInCents: cost})
	case requeue:
		return store.Requeue(ctx, key)
	case succeed:
		return store.CompleteAttemptSuccess(ctx, key, runstore.Success{Output: ptr(output(c, attempt)), UsageDurationMs: usage, CostInCents: cost})
	case fail:
		return store.FailPermanently(ctx, key, runstore.Failure{
			Status: runstore.CompletedWithErrors, UsageDurationMs: usage, CostInCents: cost,
			Error: runstore.BuiltInError("Error", "the simulated task failed while "+doing(c.task, 0.7), "Error: the simulated task failed\n    at run (tasks/"+c.task+".ts:12:9)"),
		})
	case cancel:
		return store.Cancel(ctx, key, runstore.Cancellation{CompletedAt: &now, Error: runstore.StringError("Canceled by user")})
	case expire:
		return store.Expire(ctx, key, runstore.Expiry{Error: runstore.StringError("Run expired because the TTL (" + c.ttl + ") was reached")})
	}
	return run, fmt.Errorf("simulate: action %d is none that changes a run", b.do)
}

// abandon cancels the runs of a performance that are not over, and its batch.
func (s *Simulation) abandon(ctx context.Context, p *performance) error {
	var errs []error
	for i := range p.runs {
		a := &p.runs[i]
		if !a.alive() {
			continue
		}
		err := s.locked(ctx, a, func(in *runstore.Store) error {
			_, err := in.Cancel(ctx, a.run.Key(), runstore.Cancellation{CompletedAt: ptr(time.Now()), Error: runstore.StringError("The simulation was stopped")})
			return err
		})
		if !errors.Is(err, runstore.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	if p.batch != nil {
		_, err := s.store.CompleteBatch(ctx, p.batch.Key(), runstore.BatchOutcome{Status: runstore.BatchAborted})
		if !errors.Is(err, runstore.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func ptr[T any](v T) *T { return &v }
