package trigger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

const jsonType = "application/json"

// Trigger makes the run of a request, or finds the one that an earlier request
// with the same idempotency key made.
func (s *Service) Trigger(ctx context.Context, r Request) (Result, error) {
	if err := r.Check(); err != nil {
		return Result{}, err
	}
	n, parent, err := s.newRun(ctx, r)
	if err != nil {
		return Result{}, err
	}
	var result Result
	if n.IdempotencyKey == nil {
		result, err = s.unused(ctx, n)
	} else {
		result, err = s.once(ctx, n)
	}
	switch {
	case err != nil:
		return Result{}, err
	case result.Run == nil && r.ResumeParent:
		return Result{}, ErrBuffered
	case !result.IsCached && parent != nil && parent.Status != runstore.Canceled:
		s.follow(ctx, parent.Key(), result.Run)
	}
	return result, nil
}

// create writes the row, with a new id unless the request has one: then the row may be
// there already, by an earlier try.
func (s *Service) create(ctx context.Context, n runstore.NewRun) (Result, error) {
	given := n.ID != ""
	if !given {
		n.ID = s.NewID(n.OrganizationID)
	}
	run, err := s.store.Create(ctx, n)
	if _, taken := errors.AsType[*runstore.UniqueError](err); taken && given {
		there, miss := s.store.OnPrimary().FindByID(ctx, runstore.Key{EnvironmentID: n.EnvironmentID, ID: n.ID})
		if miss == nil && there.TaskIdentifier == n.TaskIdentifier {
			return made(there), nil
		}
	}
	if err != nil {
		if err := refused(err); isDecided(err) {
			return Result{}, err
		}
		return Result{}, &doubtError{err}
	}
	return made(run), nil
}

func made(run runstore.Run) Result { return Result{ID: run.ID, FriendlyID: run.FriendlyID, Run: &run} }

// refused gives the store's refusals their meaning for a client.
func refused(err error) error {
	if unique, ok := errors.AsType[*runstore.UniqueError](err); ok && unique.Unique == runstore.UniqueOneTimeUseToken {
		return ErrTokenUsed
	}
	if invalid, ok := errors.AsType[*runstore.InvalidError](err); ok {
		return &InvalidError{Field: "the run", Reason: "cannot be kept: " + invalid.Reason, err: err}
	}
	return err
}

// newRun is the row of a request, and its parent, if it has one.
func (s *Service) newRun(ctx context.Context, r Request) (n runstore.NewRun, parent *runstore.Run, err error) {
	e := r.Environment
	n = runstore.NewRun{
		ID: r.ID, EnvironmentID: e.ID, ProjectID: e.ProjectID, OrganizationID: e.OrganizationID, EnvironmentType: string(e.Type),
		TaskIdentifier: r.Task, Payload: r.Payload, PayloadType: r.PayloadType, Context: r.Context, IsTest: r.IsTest,
		Metadata: null(r.Metadata), MetadataType: r.MetadataType, Tags: r.Tags, Annotations: r.Annotations,
		Queue: r.Queue, WorkerQueue: r.WorkerQueue, Region: null(r.Region), ConcurrencyKey: null(r.ConcurrencyKey), PriorityMs: r.PriorityMs,
		TTL: null(r.TTL), MaxAttempts: null(r.MaxAttempts), MaxDurationInSeconds: null(r.MaxDuration), MachinePreset: null(r.Machine), PlanType: null(r.PlanType),
		BatchID: null(r.BatchID), ScheduleID: null(r.ScheduleID), ReplayedFromFriendlyID: null(r.ReplayedFrom),
		OneTimeUseToken: null(r.OneTimeUseToken), ResumeParentOnCompletion: r.ResumeParent, RealtimeStreamsVersion: r.StreamsVersion,
		TraceID: r.Trace.TraceID, SpanID: r.Trace.SpanID, ParentSpanID: null(r.Trace.ParentSpanID), TraceContext: r.Trace.Context,
	}
	if n.Payload == "" && n.PayloadType == "" { // with a type it is an empty text
		n.Payload = "{}"
	}
	now := s.now()
	if r.DelayUntil.After(now) {
		n.Status, n.DelayUntil = runstore.Delayed, &r.DelayUntil
	} else {
		n.Status, n.QueuedAt = runstore.Pending, &now
	}
	if r.IdempotencyKey != "" {
		expires := r.IdempotencyKeyExpiresAt
		if expires.IsZero() {
			expires = now.Add(DefaultKeyLife)
		}
		n.IdempotencyKey, n.IdempotencyKeyExpiresAt = &r.IdempotencyKey, &expires
		if r.IdempotencyKeyOptions != nil {
			options, err := json.Marshal(r.IdempotencyKeyOptions)
			if err != nil {
				return n, nil, fmt.Errorf("trigger: write the options of an idempotency key: %w", err)
			}
			n.IdempotencyKeyOptions = options
		}
	}
	if parent, err = s.adopt(ctx, r, &n); err != nil {
		return n, nil, err
	}
	if n.TraceID == "" {
		n.TraceID = random(16)
	}
	if n.SpanID == "" {
		n.SpanID = random(8)
	}
	return n, parent, nil
}

// adopt makes a new run its parent's child. The parent is looked for on the
// primary: it has perhaps only just been made.
func (s *Service) adopt(ctx context.Context, r Request, n *runstore.NewRun) (*runstore.Run, error) {
	if r.ParentRun == "" {
		return nil, nil
	}
	id, err := runid.ParseRun(r.ParentRun)
	if err != nil {
		return nil, err // check has read it before
	}
	parent, err := s.store.OnPrimary().FindByFriendlyID(ctx, r.Environment.ID, id)
	if err != nil {
		return nil, missing("parent run", err)
	}
	if r.ResumeParent && parent.Status.Final() {
		return nil, &StatusError{Status: parent.Status, Reason: "the parent run cannot wait for another"}
	}
	n.ParentRunID, n.RootRunID, n.Depth = &parent.ID, &parent.ID, parent.Depth+1
	if parent.RootRunID != nil {
		n.RootRunID = parent.RootRunID
	}
	if n.TraceID == "" {
		n.TraceID = parent.TraceID
	}
	if n.ParentSpanID == nil {
		n.ParentSpanID = null(parent.SpanID)
	}
	return &parent, nil
}

// null is nil for the zero value.
func null[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// random is so many random bytes, as OpenTelemetry writes ids.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
