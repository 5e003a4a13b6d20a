package runstore_test

import (
	"context"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func (n *naive) FailPermanently(_ context.Context, key runstore.Key, f runstore.Failure) (runstore.Run, error) {
	failures := []runstore.Status{
		runstore.Interrupted, runstore.CompletedWithErrors, runstore.SystemFailure, runstore.Crashed, runstore.Expired, runstore.TimedOut,
	}
	if !slices.Contains(failures, f.Status) {
		return runstore.Run{}, &runstore.InvalidError{}
	}
	return n.change(key, func(r *runstore.Run) {
		r.Status, r.CompletedAt, r.Error, r.UsageDurationMs, r.CostInCents = f.Status, ptr(n.or(f.CompletedAt)), f.Error, f.UsageDurationMs, f.CostInCents
	})
}

func (n *naive) Cancel(_ context.Context, key runstore.Key, c runstore.Cancellation) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) {
		r.Status, r.Error = runstore.Canceled, c.Error
		if c.CompletedAt != nil {
			r.CompletedAt = kept(c.CompletedAt)
		}
		if c.BulkActionID != nil {
			r.BulkActionGroupIDs = plus(r.BulkActionGroupIDs, *c.BulkActionID)
		}
		if c.UsageDurationMs != nil {
			r.UsageDurationMs = *c.UsageDurationMs
		}
		if c.CostInCents != nil {
			r.CostInCents = *c.CostInCents
		}
	})
}

// expired is what becomes of a run that waited too long.
func (n *naive) expired(e runstore.Expiry) func(r *runstore.Run) {
	return func(r *runstore.Run) {
		r.Status, r.CompletedAt, r.ExpiredAt, r.Error = runstore.Expired, ptr(n.or(e.At)), ptr(n.or(e.At)), e.Error
	}
}

func (n *naive) Expire(_ context.Context, key runstore.Key, e runstore.Expiry) (runstore.Run, error) {
	return n.change(key, n.expired(e))
}

func (n *naive) ExpireMany(_ context.Context, keys []runstore.Key, e runstore.Expiry) (int64, error) {
	return n.changeAll(func(r runstore.Run) bool { return slices.Contains(keys, r.Key()) }, n.expired(e)), nil
}

func (n *naive) ExpireParked(_ context.Context, key runstore.Key, e runstore.ParkedExpiry) (bool, error) {
	return n.changeIf(key, waits, func(r *runstore.Run) {
		r.StatusReason = &e.Reason
		n.expired(runstore.Expiry{At: e.At, Error: e.Error})(r)
	})
}

func (n *naive) Finalize(_ context.Context, key runstore.Key, f runstore.Final) (runstore.Run, error) {
	if !knownOrNone(f.Status) {
		return runstore.Run{}, &runstore.InvalidError{}
	}
	return n.change(key, func(r *runstore.Run) {
		if f.Status != "" {
			r.Status = f.Status
		}
		if f.CompletedAt != nil {
			r.CompletedAt = kept(f.CompletedAt)
		}
		if f.ExpiredAt != nil {
			r.ExpiredAt = kept(f.ExpiredAt)
		}
		leaveJSON(&r.Error, f.Error)
		if f.BulkActionID != "" {
			r.BulkActionGroupIDs = plus(r.BulkActionGroupIDs, f.BulkActionID)
		}
	})
}

// changeAll changes the runs that are as they have to be, and says how many.
func (n *naive) changeAll(is func(r runstore.Run) bool, set func(r *runstore.Run)) (changed int64) {
	return changeRows(n.primary.runs, is, set, n)
}

func changeRows(runs []runstore.Run, is func(r runstore.Run) bool, set func(r *runstore.Run), n *naive) (changed int64) {
	for i := range runs {
		if is(runs[i]) {
			set(&runs[i])
			runs[i].UpdatedAt = n.now()
			changed++
		}
	}
	return changed
}

func (n *naive) ClearIdempotencyKey(_ context.Context, key runstore.Key, text string) (bool, error) {
	return n.changeIf(key, func(r runstore.Run) bool { return both(r.IdempotencyKey, &text) }, clearKeyAndExpiry)
}

func clearKeyAndExpiry(r *runstore.Run) { r.IdempotencyKey, r.IdempotencyKeyExpiresAt = nil, nil }

// ClearIdempotencyKeyOfTask frees the key in both tables' indexes, so also that of a
// row in "TaskRun" which counts for nothing else.
func (n *naive) ClearIdempotencyKeyOfTask(_ context.Context, env, task, text string) (int64, error) {
	is := func(r runstore.Run) bool {
		return r.EnvironmentID == env && r.TaskIdentifier == task && both(r.IdempotencyKey, &text)
	}
	return n.changeAll(is, clearKeyAndExpiry) + changeRows(n.primary.stale, is, clearKeyAndExpiry, n), nil
}

// ClearIdempotencyKeys leaves the time of expiry.
func (n *naive) ClearIdempotencyKeys(_ context.Context, env string, ids []runid.Friendly) (int64, error) {
	if noRuns(ids) {
		return 0, &runstore.InvalidError{}
	}
	is := func(r runstore.Run) bool { return r.EnvironmentID == env && slices.Contains(ids, parsed(r.FriendlyID)) }
	return n.changeAll(is, func(r *runstore.Run) { r.IdempotencyKey = nil }), nil
}

// noRuns says that of some friendly ids one is not a run's.
func noRuns(ids []runid.Friendly) bool {
	return slices.ContainsFunc(ids, func(id runid.Friendly) bool { return id.Kind() != runid.Run || id.Suffix() == "" })
}
