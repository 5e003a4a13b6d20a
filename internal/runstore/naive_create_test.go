package runstore_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// alike are the unique indexes, by their names, that a new row would break. A database
// tells one of them.
type alike []string

func (a alike) Error() string { return "there is one already: " + strings.Join(a, ", ") }

// uniques are the unique indexes of the tables, by their names.
var uniques = map[string]runstore.Unique{
	"TaskRun_pkey":                runstore.UniqueID,
	"TaskRun_friendlyId_key":      runstore.UniqueFriendlyID,
	"TaskRun_oneTimeUseToken_key": runstore.UniqueOneTimeUseToken,
	"TaskRun_runtimeEnvironmentId_taskIdentifier_idempotencyKey_key": runstore.UniqueIdempotencyKey,

	"task_run_v2_pkey":                runstore.UniqueID,
	"task_run_v2_friendlyId_idx":      runstore.UniqueFriendlyID,
	"task_run_v2_oneTimeUseToken_idx": runstore.UniqueOneTimeUseToken,
	"task_run_v2_runtimeEnvironmentId_taskIdentifier_idempotency_idx": runstore.UniqueIdempotencyKey,

	"BatchTaskRun_pkey":                                    runstore.UniqueID,
	"BatchTaskRun_friendlyId_key":                          runstore.UniqueFriendlyID,
	"BatchTaskRun_oneTimeUseToken_key":                     runstore.UniqueOneTimeUseToken,
	"BatchTaskRun_runtimeEnvironmentId_idempotencyKey_key": runstore.UniqueIdempotencyKey,
}

// broken are a table's indexes for which two rows are alike in something.
func broken(table string, same map[runstore.Unique]bool) alike {
	var names alike
	for name, unique := range uniques {
		if strings.HasPrefix(name, table+"_") && same[unique] {
			names = append(names, name)
		}
	}
	return names
}

// both says that two values are there and the same: nothing is not the same as nothing.
func both(a, b *string) bool { return a != nil && b != nil && *a == *b }

// clash is what keeps a run out of a table.
func (r *rows) clash(table runid.Table, run runstore.Run) alike {
	var all alike
	for _, is := range r.in(table) {
		all = append(all, broken(table.Name(), map[runstore.Unique]bool{
			runstore.UniqueID:              is.ID == run.ID,
			runstore.UniqueFriendlyID:      is.FriendlyID == run.FriendlyID,
			runstore.UniqueOneTimeUseToken: both(is.OneTimeUseToken, run.OneTimeUseToken),
			runstore.UniqueIdempotencyKey: is.EnvironmentID == run.EnvironmentID && is.TaskIdentifier == run.TaskIdentifier &&
				both(is.IdempotencyKey, run.IdempotencyKey),
		})...)
	}
	return all
}

func (n *naive) Create(_ context.Context, r runstore.NewRun) (runstore.Run, error) {
	if !knownOrNone(r.Status) {
		return runstore.Run{}, &runstore.InvalidError{}
	}
	status := r.Status
	if status == "" {
		status = runstore.Pending
	}
	return n.create(r, func(run *runstore.Run) { run.Status = status })
}

func (n *naive) CreateCancelled(_ context.Context, r runstore.NewRun, e runstore.Ending) (runstore.Run, error) {
	return n.create(r, func(run *runstore.Run) {
		run.Status, run.CompletedAt, run.Error, run.AttemptNumber = runstore.Canceled, ptr(n.or(e.CompletedAt)), e.Error, ptr(int32(0))
	})
}

func (n *naive) CreateFailed(_ context.Context, r runstore.NewRun, e runstore.Ending) (runstore.Run, error) {
	return n.create(r, func(run *runstore.Run) {
		run.Status, run.CompletedAt, run.Error = runstore.SystemFailure, ptr(n.or(e.CompletedAt)), e.Error
	})
}

// create makes a run of what is given, which begins as start says.
func (n *naive) create(r runstore.NewRun, start func(run *runstore.Run)) (runstore.Run, error) {
	if r.ID == "" || r.EnvironmentID == "" || r.ProjectID == "" || r.TaskIdentifier == "" || r.Payload == "" && r.PayloadType == "" {
		return runstore.Run{}, &runstore.InvalidError{}
	}
	run := runstore.Run{
		ID: r.ID, Number: r.Number, FriendlyID: orText(r.FriendlyID, "run_"+r.ID), Engine: "V2",
		IdempotencyKey: r.IdempotencyKey, IdempotencyKeyExpiresAt: kept(r.IdempotencyKeyExpiresAt), IdempotencyKeyOptions: r.IdempotencyKeyOptions,
		OneTimeUseToken: r.OneTimeUseToken, TaskIdentifier: r.TaskIdentifier, IsTest: r.IsTest, Payload: r.Payload, PayloadType: mediaType(r.PayloadType),
		Context: r.Context, TraceContext: r.TraceContext, TraceID: r.TraceID, SpanID: r.SpanID, ParentSpanID: r.ParentSpanID,
		EnvironmentID: r.EnvironmentID, EnvironmentType: textOrNone(r.EnvironmentType), ProjectID: r.ProjectID, OrganizationID: textOrNone(r.OrganizationID),
		LockedToVersionID: r.LockedToVersionID, TaskVersion: r.TaskVersion, SDKVersion: r.SDKVersion, CLIVersion: r.CLIVersion,
		LockedQueueID: r.LockedQueueID, QueueTimestamp: kept(r.QueueTimestamp),
		Queue: orText(r.Queue, "task/"+r.TaskIdentifier), WorkerQueue: orText(r.WorkerQueue, "main"), Region: r.Region, ConcurrencyKey: r.ConcurrencyKey,
		PriorityMs: r.PriorityMs, DelayUntil: kept(r.DelayUntil), QueuedAt: kept(r.QueuedAt), TTL: r.TTL,
		CreatedAt: n.or(r.CreatedAt), UpdatedAt: n.now(), MaxAttempts: r.MaxAttempts, MachinePreset: r.MachinePreset,
		MaxDurationInSeconds: r.MaxDurationInSeconds, PlanType: r.PlanType, Tags: r.Tags, BulkActionGroupIDs: append([]string{}, r.BulkActionGroupIDs...),
		ScheduleID: r.ScheduleID, ScheduleInstanceID: r.ScheduleInstanceID,
		ReplayedFromFriendlyID: r.ReplayedFromFriendlyID, RootRunID: r.RootRunID, ParentRunID: r.ParentRunID, ParentAttemptID: r.ParentAttemptID, BatchID: r.BatchID,
		ResumeParentOnCompletion: r.ResumeParentOnCompletion, Depth: r.Depth,
		SeedMetadata: orPointer(r.SeedMetadata, r.Metadata), SeedMetadataType: mediaType(orText(r.SeedMetadataType, r.MetadataType)),
		Metadata: r.Metadata, MetadataType: mediaType(r.MetadataType), MetadataVersion: 1,
		Annotations: r.Annotations, OutputType: "application/json",
		RealtimeStreamsVersion: orText(r.RealtimeStreamsVersion, "v1"), RealtimeStreams: []string{}, StreamBasinName: r.StreamBasinName,
	}
	start(&run)
	if taken := n.primary.clash(run.Table(), run); taken != nil {
		return runstore.Run{}, taken
	}
	n.primary.runs = append(n.primary.runs, run)
	return run, nil
}

// knownOrNone says that a status is one that there is, or none.
func knownOrNone(s runstore.Status) bool { return s == "" || slices.Contains(statuses, s) }

// kept is a time as it is kept: in UTC, to the millisecond.
func kept(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return ptr(t.UTC().Truncate(time.Millisecond))
}

// or is a time as it is kept, or now for none.
func (n *naive) or(t time.Time) time.Time {
	if t.IsZero() {
		return n.now()
	}
	return *kept(&t)
}

func orText(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func orPointer(p, fallback *string) *string {
	if p == nil {
		return fallback
	}
	return p
}

func mediaType(text string) string { return orText(text, "application/json") }

func textOrNone(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// leave is a value where one is given, and else what there is.
func leave(field **string, given *string) {
	if given != nil {
		*field = given
	}
}

// leaveJSON is the same of JSON.
func leaveJSON(field *json.RawMessage, given json.RawMessage) {
	if given != nil {
		*field = given
	}
}
