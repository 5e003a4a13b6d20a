package worker

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Queue is the worker queue that is worked on. The API of dev puts what it triggers
// there: rows that come into the tables in other ways are not this worker's.
const Queue = "dev"

// Config of a worker.
type Config struct {
	// Store has the runs. Required.
	Store *runstore.Store
	// EnvironmentID is the environment whose runs are executed. Required.
	EnvironmentID string
	// Step is how long a run stays in each status. Default: 200 ms.
	Step time.Duration
	// Log gets what could not be written. Default: nothing.
	Log zerolog.Logger
}

// Worker executes runs. Run it once.
type Worker struct {
	store *runstore.Store
	env   string
	step  time.Duration
	log   zerolog.Logger

	due        map[string]time.Time // of runs that are not over, when to look at each
	batches    map[string]bool      // that have or had such runs
	batchesDue time.Time            // when to look at those
	seen       time.Time            // up to when new runs were looked for; zero: never
}

// New makes a worker.
func New(c Config) (*Worker, error) {
	if c.Store == nil || c.EnvironmentID == "" {
		return nil, errors.New("worker: Store and EnvironmentID are required")
	}
	if c.Step == 0 {
		c.Step = 200 * time.Millisecond
	}
	return &Worker{
		store: c.Store.OnPrimary(), env: c.EnvironmentID, step: c.Step, log: c.Log,
		due: map[string]time.Time{}, batches: map[string]bool{},
	}, nil
}

// Run executes runs until ctx ends. What cannot be written is tried again, so that
// a database that restarts only pauses it.
func (w *Worker) Run(ctx context.Context) {
	ticker := time.NewTicker(w.step / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := w.look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			w.log.Warn().Err(err).Msg("the worker could not read or write; it tries again")
		}
	}
}

const (
	// late is how long after it was made a run may come to be seen: its
	// transaction may have been long.
	late = 10 * time.Second
	// again is how long at most a run is not looked at: it may have been canceled
	// or rescheduled.
	again = time.Second
)

var goesOn = []runstore.Status{
	runstore.Delayed, runstore.Pending, runstore.Dequeued, runstore.Executing, runstore.RetryingAfterFailure, runstore.WaitingToResume,
}

// look does whatever is due.
func (w *Worker) look(ctx context.Context, now time.Time) error {
	fresh := runstore.Filter{Statuses: goesOn, WorkerQueues: []string{Queue}}
	if !w.seen.IsZero() {
		fresh.CreatedFrom = w.seen.Add(-late)
	}
	found, err := w.store.FindMany(ctx, runstore.Query{EnvironmentID: w.env, Filter: fresh, WithoutLarge: true})
	if err != nil {
		return err
	}
	w.seen = now
	for _, run := range found {
		if _, known := w.due[run.ID]; !known {
			w.due[run.ID] = now
		}
		if run.BatchID != nil {
			w.batches[*run.BatchID] = true
		}
	}
	var ids []string
	for id, at := range w.due {
		if !at.After(now) {
			ids = append(ids, id)
		}
	}
	var runs map[string]runstore.Run
	if len(ids) > 0 {
		if runs, err = w.store.FindByIDs(ctx, w.env, ids); err != nil {
			return err
		}
	}
	var errs []error
	for _, id := range ids {
		run, there := runs[id]
		if !there || run.Status.Final() {
			delete(w.due, id)
			w.batchesDue = now // perhaps it was the last of one
			continue
		}
		next, err := w.advance(ctx, run, now)
		errs = append(errs, err)
		if last := now.Add(again); next.After(last) {
			next = last
		}
		w.due[id] = next
	}
	return errors.Join(append(errs, w.completeBatches(ctx, now))...)
}

// completeBatches notes which batches are over, when it is time to look.
func (w *Worker) completeBatches(ctx context.Context, now time.Time) error {
	if w.batchesDue.After(now) {
		return nil
	}
	w.batchesDue = now.Add(again)
	for id := range w.batches {
		if err := w.completeBatch(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
