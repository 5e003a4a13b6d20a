package trigger

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Canceled is what became of a run that was to be canceled.
type Canceled struct {
	Run     runstore.Run // as it is now
	Already bool         // it was over before, and was left as it was

	// Descendants is how many others were canceled with it.
	Descendants int
}

// defaultReason is what a run's error says when nobody gives a reason.
const defaultReason = "Canceled by user"

// Cancel ends a run and all runs below it, in both tables: the run first, then its
// children, then theirs. Each is locked, looked at, and canceled with status, error
// and time in one statement; one that is over by then stays as it is.
//
// It goes on below every run that is canceled, also one that was canceled before:
// so calling it again finishes what a failure cut short. It ends at a run that ended
// in another way. A child that is made while this is under way, and is not seen here,
// is seen to by who makes it: see follow.
func (s *Service) Cancel(ctx context.Context, environmentID, id, reason string) (Canceled, error) {
	if err := checkText("reason", reason, 1024); err != nil {
		return Canceled{}, err
	}
	if reason == "" {
		reason = defaultReason
	}
	run, err := s.find(ctx, environmentID, id)
	if err != nil {
		return Canceled{}, err
	}
	run, did, err := s.cancelOne(ctx, run.Key(), reason)
	if err != nil {
		return Canceled{}, missing("run", err)
	}
	c := Canceled{Run: run, Already: !did}
	if run.Status == runstore.Canceled {
		c.Descendants, err = s.cancelBelow(ctx, run.Key(), reason)
	}
	return c, err
}

// cancelBelow cancels the descendants of a run, one generation after the other. A
// pointer can lead back up in rows that somebody else has written: nobody is
// visited twice.
func (s *Service) cancelBelow(ctx context.Context, top runstore.Key, reason string) (n int, err error) {
	seen := map[string]bool{top.ID: true}
	for generation := []string{top.ID}; len(generation) > 0; {
		children, err := s.store.FindChildren(ctx, top.EnvironmentID, generation)
		if err != nil {
			return n, err
		}
		generation = nil
		for _, child := range children {
			if seen[child.ID] {
				continue
			}
			seen[child.ID] = true
			status, did := child.Status, false
			if !status.Final() {
				run, canceled, err := s.cancelOne(ctx, runstore.Key{EnvironmentID: top.EnvironmentID, ID: child.ID}, reason)
				if isMissing(err) {
					continue // deleted meanwhile
				}
				if err != nil {
					return n, err
				}
				status, did = run.Status, canceled
			}
			if did {
				n++
			}
			if status == runstore.Canceled {
				generation = append(generation, child.ID)
			}
		}
	}
	return n, nil
}

// followTime bounds how long it takes to see whether a new run's parent was canceled.
const followTime = 5 * time.Second

// follow cancels a run that was just made if its parent has been canceled since that
// was looked at: whoever did so may have looked for children before this one was
// there. Who cancels later finds it. A parent that was canceled before is another
// matter: its code may still clean up, and trigger runs for that.
//
// The run is made, and that is what its client has to be told, so a failure is for the
// log alone.
func (s *Service) follow(ctx context.Context, parent runstore.Key, run *runstore.Run) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), followTime)
	defer done()
	above, err := s.store.OnPrimary().FindMany(ctx, runstore.Query{
		EnvironmentID: parent.EnvironmentID, Filter: runstore.Filter{IDs: []string{parent.ID}}, WithoutLarge: true,
	})
	if err == nil && len(above) > 0 && above[0].Status == runstore.Canceled {
		var now runstore.Run
		if now, _, err = s.cancelOne(ctx, run.Key(), defaultReason); err == nil {
			*run = now
			_, err = s.cancelBelow(ctx, run.Key(), defaultReason) // a worker may have been fast
		}
	}
	if err != nil && !isMissing(err) {
		s.log.Warn().Err(err).Msg("it is not known whether the parent of a new run was canceled meanwhile: if it was, the run goes on")
	}
}

// cancelOne cancels a run, unless it is over.
func (s *Service) cancelOne(ctx context.Context, key runstore.Key, reason string) (run runstore.Run, did bool, err error) {
	err = s.store.WithLocked(ctx, key, func(in *runstore.Store, now runstore.Run) (err error) {
		if run = now; run.Status.Final() {
			return nil
		}
		at := s.now()
		run, err = in.Cancel(ctx, key, runstore.Cancellation{CompletedAt: &at, Error: runstore.StringError(reason)})
		did = err == nil
		return err
	})
	return run, did && err == nil, err
}

// find reads the run that a request names, as it is now.
func (s *Service) find(ctx context.Context, environmentID, id string) (runstore.Run, error) {
	friendly, err := runid.ParseRun(id)
	if err != nil {
		return runstore.Run{}, &NotFoundError{What: "run"} // as a well-formed id of nothing is
	}
	run, err := s.store.OnPrimary().FindByFriendlyID(ctx, environmentID, friendly)
	return run, missing("run", err)
}
