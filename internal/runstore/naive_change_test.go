package runstore_test

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// change makes something else of one run, and notes when. In another environment there
// is no such run.
func (n *naive) change(key runstore.Key, set func(r *runstore.Run)) (runstore.Run, error) {
	for i := range n.primary.runs {
		if run := &n.primary.runs[i]; run.ID == key.ID && run.EnvironmentID == key.EnvironmentID {
			set(run)
			run.UpdatedAt = n.now()
			return *run, nil
		}
	}
	return runstore.Run{}, runstore.ErrNotFound
}

// changeIf is a change of a run that is as it has to be. To another it does nothing,
// and says so.
func (n *naive) changeIf(key runstore.Key, is func(r runstore.Run) bool, set func(r *runstore.Run)) (bool, error) {
	for _, run := range n.primary.runs {
		if run.ID == key.ID && run.EnvironmentID == key.EnvironmentID && is(run) {
			_, err := n.change(key, set)
			return true, err
		}
	}
	return false, nil
}

func waits(r runstore.Run) bool { return r.Status == runstore.PendingVersion }

// plus are texts behind others.
func plus(texts []string, more ...string) []string {
	all := []string{}
	all = append(all, texts...)
	return append(all, more...)
}

func (n *naive) LockToWorker(_ context.Context, key runstore.Key, l runstore.Lock) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) {
		at := n.or(l.LockedAt)
		r.Status, r.LockedAt, r.LockedByID, r.LockedToVersionID, r.BaseCostInCents = runstore.Dequeued, &at, &l.LockedByID, &l.LockedToVersionID, l.BaseCostInCents
		if r.StartedAt == nil {
			r.StartedAt = &at
		}
		leave(&r.LockedQueueID, l.LockedQueueID)
		leave(&r.TaskVersion, l.TaskVersion)
		leave(&r.SDKVersion, l.SDKVersion)
		leave(&r.CLIVersion, l.CLIVersion)
		leave(&r.MachinePreset, l.MachinePreset)
		leaveJSON(&r.LockedRetryConfig, l.RetryConfig)
		if l.MaxAttempts != nil {
			r.MaxAttempts = l.MaxAttempts
		}
		if l.MaxDurationInSeconds != nil {
			r.MaxDurationInSeconds = l.MaxDurationInSeconds
		}
	})
}

func (n *naive) StartAttempt(_ context.Context, key runstore.Key, a runstore.Attempt) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) {
		r.Status, r.AttemptNumber = runstore.Executing, &a.Number
		if a.ExecutedAt != nil {
			r.ExecutedAt = kept(a.ExecutedAt)
		}
		if a.IsWarmStart != nil {
			r.IsWarmStart = a.IsWarmStart
		}
	})
}

func (n *naive) CompleteAttemptSuccess(_ context.Context, key runstore.Key, s runstore.Success) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) {
		r.Status, r.CompletedAt, r.Output, r.OutputType = runstore.CompletedSuccessfully, ptr(n.or(s.CompletedAt)), s.Output, mediaType(s.OutputType)
		r.UsageDurationMs, r.CostInCents = s.UsageDurationMs, s.CostInCents
	})
}

func (n *naive) RecordRetryOutcome(_ context.Context, key runstore.Key, o runstore.Retry) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) {
		r.Status, r.UsageDurationMs, r.CostInCents = runstore.RetryingAfterFailure, o.UsageDurationMs, o.CostInCents
		leave(&r.MachinePreset, o.MachinePreset)
	})
}

func (n *naive) Requeue(_ context.Context, key runstore.Key) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.Status = runstore.Pending })
}

func (n *naive) SuspendForCheckpoint(_ context.Context, key runstore.Key) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.Status = runstore.WaitingToResume })
}

func (n *naive) ResumeFromCheckpoint(_ context.Context, key runstore.Key) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.Status = runstore.Executing })
}

func (n *naive) RecordBulkAction(_ context.Context, key runstore.Key, id string) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.BulkActionGroupIDs = plus(r.BulkActionGroupIDs, id) })
}

func (n *naive) ParkPendingVersion(_ context.Context, key runstore.Key, reason string) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.Status, r.StatusReason = runstore.PendingVersion, &reason })
}

func (n *naive) PromotePendingVersion(_ context.Context, key runstore.Key, p runstore.Promotion) (bool, error) {
	if !knownOrNone(p.Status) {
		return false, &runstore.InvalidError{}
	}
	return n.changeIf(key, waits, func(r *runstore.Run) {
		r.Status = runstore.Pending
		if p.Status != "" {
			r.Status = p.Status
		}
		leave(&r.LockedToVersionID, p.LockedToVersionID)
		leave(&r.TaskVersion, p.TaskVersion)
		leave(&r.SDKVersion, p.SDKVersion)
		leave(&r.CLIVersion, p.CLIVersion)
	})
}

func (n *naive) Reschedule(_ context.Context, key runstore.Key, until time.Time, queueTimestamp *time.Time) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) {
		r.DelayUntil = kept(&until)
		if queueTimestamp != nil {
			r.QueueTimestamp = kept(queueTimestamp)
		}
	})
}

func (n *naive) EnqueueDelayed(_ context.Context, key runstore.Key, at time.Time) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.Status, r.QueuedAt = runstore.Pending, ptr(n.or(at)) })
}

func (n *naive) RewriteDebounced(_ context.Context, key runstore.Key, d runstore.Debounced) (runstore.Run, error) {
	if d.Payload == "" {
		return runstore.Run{}, &runstore.InvalidError{}
	}
	return n.change(key, func(r *runstore.Run) {
		r.Payload, r.PayloadType = d.Payload, mediaType(d.PayloadType)
		leave(&r.Metadata, d.Metadata)
		leave(&r.MachinePreset, d.MachinePreset)
		if d.MetadataType != nil {
			r.MetadataType = *d.MetadataType
		}
		if d.MaxAttempts != nil {
			r.MaxAttempts = d.MaxAttempts
		}
		if d.MaxDurationInSeconds != nil {
			r.MaxDurationInSeconds = d.MaxDurationInSeconds
		}
		if d.Tags != nil {
			r.Tags = d.Tags
		}
	})
}

// UpdateMetadata loses against whoever has counted the version on meanwhile.
func (n *naive) UpdateMetadata(_ context.Context, key runstore.Key, u runstore.MetadataUpdate) (won bool, err error) {
	if _, err := n.onPrimary().FindByID(context.Background(), key); err != nil {
		return false, err
	}
	is := func(r runstore.Run) bool { return u.Expected == nil || *u.Expected == r.MetadataVersion }
	return n.changeIf(key, is, func(r *runstore.Run) {
		r.Metadata, r.MetadataType, r.MetadataVersion = &u.Metadata, orText(u.Type, r.MetadataType), r.MetadataVersion+1
	})
}

func (n *naive) PushTags(_ context.Context, key runstore.Key, tags []string) (time.Time, error) {
	run, err := n.change(key, func(r *runstore.Run) { r.Tags = plus(r.Tags, tags...) })
	return run.UpdatedAt, err
}

func (n *naive) PushRealtimeStream(_ context.Context, key runstore.Key, id string) (runstore.Run, error) {
	return n.change(key, func(r *runstore.Run) { r.RealtimeStreams = plus(r.RealtimeStreams, id) })
}
