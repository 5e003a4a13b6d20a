package worker

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// advance does what comes next for a run, unless somebody was faster, and says
// when to look at it again.
func (w *Worker) advance(ctx context.Context, seen runstore.Run, now time.Time) (next time.Time, err error) {
	next = now.Add(w.step)
	err = w.store.WithLocked(ctx, seen.Key(), func(in *runstore.Store, run runstore.Run) error {
		if run.Status != seen.Status {
			return nil
		}
		at, err := change(ctx, in, run, now)
		if !at.IsZero() {
			next = at
		}
		return err
	})
	if errors.Is(err, runstore.ErrNotFound) {
		return next, nil
	}
	return next, err
}

// change makes one change to a run, or says when it is time for one.
func change(ctx context.Context, store *runstore.Store, run runstore.Run, now time.Time) (wait time.Time, err error) {
	key, cost := run.Key(), float64(run.UsageDurationMs+200)*0.0001
	switch run.Status {
	case runstore.Delayed:
		if run.DelayUntil != nil && run.DelayUntil.After(now) {
			return *run.DelayUntil, nil
		}
		_, err = store.EnqueueDelayed(ctx, key, now)
	case runstore.Pending:
		switch {
		case expired(run, now):
			_, err = store.Expire(ctx, key, runstore.Expiry{Error: runstore.StringError("Run expired because the TTL (" + *run.TTL + ") was reached")})
		case !does(run, "idle"):
			_, err = store.LockToWorker(ctx, key, runstore.Lock{
				LockedByID: "worker_" + run.TaskIdentifier, LockedToVersionID: "version_1", TaskVersion: ptr("20260301.1"),
				MachinePreset: ptr("small-1x"), BaseCostInCents: 0.0025,
			})
		}
	case runstore.Dequeued:
		attempt := runstore.Attempt{Number: attempts(run) + 1}
		if attempt.Number == 1 {
			attempt.ExecutedAt = &now
		}
		_, err = store.StartAttempt(ctx, key, attempt)
	case runstore.RetryingAfterFailure:
		_, err = store.Requeue(ctx, key)
	case runstore.WaitingToResume:
		if until := waits(run); until.After(now) {
			return until, nil
		}
		_, err = store.ResumeFromCheckpoint(ctx, key)
	case runstore.Executing:
		switch {
		case does(run, "wait") && waits(run).After(now):
			_, err = store.SuspendForCheckpoint(ctx, key)
		case does(run, "fail") && attempts(run) < allowed(run):
			_, err = store.RecordRetryOutcome(ctx, key, runstore.Retry{UsageDurationMs: run.UsageDurationMs + 200, CostInCents: cost})
		case does(run, "fail"):
			_, err = store.FailPermanently(ctx, key, runstore.Failure{
				Status: runstore.CompletedWithErrors, UsageDurationMs: run.UsageDurationMs + 200, CostInCents: cost,
				Error: runstore.BuiltInError("Error", "the task "+run.TaskIdentifier+" fails", "Error: the task fails\n    at run (task.ts:1:1)"),
			})
		default:
			_, err = store.CompleteAttemptSuccess(ctx, key, runstore.Success{
				Output: &run.Payload, OutputType: run.PayloadType, UsageDurationMs: run.UsageDurationMs + 200, CostInCents: cost,
			})
		}
	}
	return time.Time{}, err
}

func does(run runstore.Run, what string) bool { return strings.HasPrefix(run.TaskIdentifier, what) }

func attempts(run runstore.Run) int32 {
	if run.AttemptNumber == nil {
		return 0
	}
	return *run.AttemptNumber
}

// allowed is how many attempts a run may have.
func allowed(run runstore.Run) int32 {
	if run.MaxAttempts == nil || *run.MaxAttempts < 1 {
		return 2
	}
	return *run.MaxAttempts
}

// waits is until when a run is put aside.
func waits(run runstore.Run) time.Time {
	var payload struct {
		JSON *struct{ Ms *float64 } // as SuperJSON has it
		Ms   *float64
	}
	_ = json.Unmarshal([]byte(run.Payload), &payload) // other payloads say nothing
	if payload.JSON != nil {
		payload.Ms = payload.JSON.Ms
	}
	from := run.CreatedAt
	if run.ExecutedAt != nil {
		from = *run.ExecutedAt
	}
	if payload.Ms == nil {
		return from.Add(time.Hour)
	}
	return from.Add(time.Duration(*payload.Ms * float64(time.Millisecond)))
}

var ttlPart = regexp.MustCompile(`(\d+)(w|d|hr|h|m|s)`)

// expired says whether a run has waited in its queue longer than it may.
func expired(run runstore.Run, now time.Time) bool {
	if run.TTL == nil || run.QueuedAt == nil || attempts(run) > 0 {
		return false
	}
	units := map[string]time.Duration{"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "hr": time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	var ttl time.Duration
	for _, part := range ttlPart.FindAllStringSubmatch(*run.TTL, -1) {
		n, _ := strconv.Atoi(part[1]) // what does not fit is far away
		ttl += time.Duration(n) * units[part[2]]
	}
	return ttl > 0 && !run.QueuedAt.Add(ttl).After(now)
}

// completeBatch notes that a batch is over, if it has all its runs and they are.
func (w *Worker) completeBatch(ctx context.Context, id string) error {
	friendly, err := runid.ParseBatch(runid.FormatBatch(id))
	if err != nil {
		delete(w.batches, id)
		return nil
	}
	batch, err := w.store.FindBatchByFriendlyID(ctx, w.env, friendly)
	if errors.Is(err, runstore.ErrNotFound) || err == nil && batch.CompletedAt != nil {
		delete(w.batches, id)
		return nil
	}
	if err != nil || !batch.Sealed {
		return err
	}
	runs, err := w.store.FindBatchRuns(ctx, batch)
	if err != nil {
		return err
	}
	outcome := runstore.BatchOutcome{Status: runstore.BatchCompleted}
	for _, run := range runs {
		switch {
		case !run.Status.Final():
			return nil
		case run.Status == runstore.CompletedSuccessfully:
			outcome.Successful++
		default:
			outcome.Failed++
		}
	}
	delete(w.batches, id)
	_, err = w.store.CompleteBatch(ctx, batch.Key(), outcome)
	return err
}

func ptr[T any](v T) *T { return &v }
