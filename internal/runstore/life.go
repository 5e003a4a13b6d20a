package runstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Lock is what a worker that takes a run says of itself. A nil field leaves what
// the run has.
type Lock struct {
	LockedByID           string // the worker's task
	LockedToVersionID    string // the deployed version it belongs to
	LockedQueueID        *string
	TaskVersion          *string
	SDKVersion           *string
	CLIVersion           *string
	MachinePreset        *string
	MaxAttempts          *int32
	MaxDurationInSeconds *int32
	RetryConfig          json.RawMessage // becomes LockedRetryConfig
	BaseCostInCents      float64
	LockedAt             time.Time // default: now; StartedAt too, the first time
}

// Attempt is an attempt that begins.
type Attempt struct {
	Number      int32      // from 1
	ExecutedAt  *time.Time // set for the first attempt, nil for later ones
	IsWarmStart *bool
}

// Success is how a run ended well.
type Success struct {
	CompletedAt     time.Time // default: now
	Output          *string
	OutputType      string // default: application/json
	UsageDurationMs int32
	CostInCents     float64
}

// Retry is what is known of a failed attempt that is to be followed by another.
type Retry struct {
	MachinePreset   *string // nil: the same
	UsageDurationMs int32
	CostInCents     float64
}

// Failure is how a run ended badly.
type Failure struct {
	Status          Status    // one for which Failed holds
	CompletedAt     time.Time // default: now
	Error           json.RawMessage
	UsageDurationMs int32
	CostInCents     float64
}

// Cancellation is how a run was ended from outside.
type Cancellation struct {
	CompletedAt     *time.Time // nil while a worker still has to stop
	Error           json.RawMessage
	BulkActionID    *string
	UsageDurationMs *int32   // nil: as it is
	CostInCents     *float64 // nil: as it is
}

// Expiry is how a run ended that no worker took in time.
type Expiry struct {
	At    time.Time // default: now
	Error json.RawMessage
}

// LockToWorker gives a run to a worker: DEQUEUED.
func (s *Store) LockToWorker(ctx context.Context, key Key, l Lock) (Run, error) {
	return s.change(ctx, "lock a run to a worker", key, s.statements(key).lockToWorker, pgx.NamedArgs{
		"lockedAt": s.at(l.LockedAt), "lockedBy": l.LockedByID, "version": l.LockedToVersionID, "lockedQueue": l.LockedQueueID,
		"taskVersion": l.TaskVersion, "sdkVersion": l.SDKVersion, "cliVersion": l.CLIVersion, "machinePreset": l.MachinePreset,
		"maxAttempts": l.MaxAttempts, "maxDuration": l.MaxDurationInSeconds, "baseCost": l.BaseCostInCents, "retryConfig": l.RetryConfig,
	})
}

// StartAttempt begins an attempt: EXECUTING.
func (s *Store) StartAttempt(ctx context.Context, key Key, a Attempt) (Run, error) {
	return s.change(ctx, "start an attempt", key, s.statements(key).startAttempt, pgx.NamedArgs{
		"attempt": a.Number, "executedAt": stamped(a.ExecutedAt), "warm": a.IsWarmStart,
	})
}

// CompleteAttemptSuccess ends a run well: COMPLETED_SUCCESSFULLY, with its
// output.
func (s *Store) CompleteAttemptSuccess(ctx context.Context, key Key, o Success) (Run, error) {
	return s.change(ctx, "complete a run", key, s.statements(key).completeAttemptSuccess, pgx.NamedArgs{
		"completedAt": s.at(o.CompletedAt), "output": o.Output, "outputType": or(o.OutputType, jsonType),
		"usage": o.UsageDurationMs, "cost": o.CostInCents,
	})
}

// RecordRetryOutcome notes that an attempt failed and another will follow:
// RETRYING_AFTER_FAILURE.
func (s *Store) RecordRetryOutcome(ctx context.Context, key Key, r Retry) (Run, error) {
	return s.change(ctx, "record a retry", key, s.statements(key).recordRetryOutcome, pgx.NamedArgs{
		"machinePreset": r.MachinePreset, "usage": r.UsageDurationMs, "cost": r.CostInCents,
	})
}

// SuspendForCheckpoint notes that a run was put aside until what it waits for is
// there: WAITING_TO_RESUME.
func (s *Store) SuspendForCheckpoint(ctx context.Context, key Key) (Run, error) {
	return s.change(ctx, "suspend a run", key, s.statements(key).suspend, pgx.NamedArgs{})
}

// ResumeFromCheckpoint notes that a run that was put aside goes on: EXECUTING.
func (s *Store) ResumeFromCheckpoint(ctx context.Context, key Key) (Run, error) {
	return s.change(ctx, "resume a run", key, s.statements(key).resume, pgx.NamedArgs{})
}

// Requeue puts a run back into its queue: PENDING.
func (s *Store) Requeue(ctx context.Context, key Key) (Run, error) {
	return s.change(ctx, "requeue a run", key, s.statements(key).requeue, pgx.NamedArgs{})
}

// FailPermanently ends a run badly, with the status and the error given. A
// status that is not a failure's is an *InvalidError.
func (s *Store) FailPermanently(ctx context.Context, key Key, f Failure) (Run, error) {
	if !f.Status.Failed() {
		return Run{}, &InvalidError{What: "a failure", Reason: "its status is not that of a run that failed"}
	}
	return s.change(ctx, "fail a run", key, s.statements(key).failPermanently, pgx.NamedArgs{
		"status": f.Status, "completedAt": s.at(f.CompletedAt), "error": f.Error, "usage": f.UsageDurationMs, "cost": f.CostInCents,
	})
}

// Cancel ends a run from outside: CANCELED. Its children are not looked for.
func (s *Store) Cancel(ctx context.Context, key Key, c Cancellation) (Run, error) {
	return s.change(ctx, "cancel a run", key, s.statements(key).cancel, pgx.NamedArgs{
		"completedAt": stamped(c.CompletedAt), "error": c.Error, "bulkAction": c.BulkActionID, "usage": c.UsageDurationMs, "cost": c.CostInCents,
	})
}

// Expire ends a run that waited longer than its TTL: EXPIRED.
func (s *Store) Expire(ctx context.Context, key Key, e Expiry) (Run, error) {
	return s.change(ctx, "expire a run", key, s.statements(key).expire, pgx.NamedArgs{"at": s.at(e.At), "error": e.Error})
}

func (s *Store) statements(key Key) runStatements { return s.runs[runid.Home(key.ID)] }

// change runs a statement that changes one run and gives it back.
func (s *Store) change(ctx context.Context, doing string, key Key, sql string, args pgx.NamedArgs) (Run, error) {
	args["id"], args["environment"], args["now"] = key.ID, key.EnvironmentID, s.now()
	run, err := one[Run](ctx, s.writer(), sql, args)
	return run, wrap(doing, err)
}

// at is a time as it is stored, or now for none.
func (s *Store) at(t time.Time) time.Time {
	if t.IsZero() {
		return s.now()
	}
	return stamp(t)
}
