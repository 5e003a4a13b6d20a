package runstore

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// NewRun is a run to be made. The zero value of a field that is not required is
// NULL or the default named.
type NewRun struct {
	ID             string // required; says which table the run goes to
	FriendlyID     string // default: made from ID
	EnvironmentID  string // required
	ProjectID      string // required
	OrganizationID string
	// EnvironmentType is PRODUCTION, STAGING, DEVELOPMENT or PREVIEW.
	EnvironmentType string
	Number          int32

	TaskIdentifier string // required
	Payload        string // required, unless there is a PayloadType: "{}" for none
	PayloadType    string // default: application/json
	Context        json.RawMessage
	TraceContext   json.RawMessage
	TraceID        string
	SpanID         string
	ParentSpanID   *string
	IsTest         bool

	// Status is Pending unless the run has to wait: Delayed, PendingVersion or
	// WaitingForDeploy. For runs that are over there are CreateCancelled and
	// CreateFailed.
	Status Status

	// LockedToVersionID is the deployed version that the run was triggered for, with
	// what is known of it. nil: the current one, when a worker takes the run.
	LockedToVersionID *string
	TaskVersion       *string
	SDKVersion        *string
	CLIVersion        *string

	Queue                string  // default: task/<TaskIdentifier>
	LockedQueueID        *string // the queue of the locked version
	WorkerQueue          string  // default: main
	Region               *string
	ConcurrencyKey       *string
	PriorityMs           int32
	QueueTimestamp       *time.Time // its place in the queue
	QueuedAt             *time.Time
	DelayUntil           *time.Time
	TTL                  *string
	MaxAttempts          *int32
	MaxDurationInSeconds *int32
	MachinePreset        *string
	PlanType             *string

	IdempotencyKey          *string
	IdempotencyKeyExpiresAt *time.Time
	IdempotencyKeyOptions   json.RawMessage
	OneTimeUseToken         *string
	Debounce                json.RawMessage // the platform's, of a run that later triggers rewrite

	Tags                     []string
	BulkActionGroupIDs       []string // of bulk actions that made it
	BatchID                  *string
	RootRunID                *string
	ParentRunID              *string
	ParentAttemptID          *string
	ResumeParentOnCompletion bool
	Depth                    int32
	ScheduleID               *string
	ScheduleInstanceID       *string
	ReplayedFromFriendlyID   *string

	Metadata         *string
	MetadataType     string  // default: application/json
	SeedMetadata     *string // what it was triggered with; default: Metadata
	SeedMetadataType string  // default: MetadataType
	Annotations      json.RawMessage

	TaskEventStore         string // where the platform keeps its traces; default: taskEvent
	RealtimeStreamsVersion string // default: v1
	StreamBasinName        *string
	CreatedAt              time.Time // default: now
}

// Ending is how a run ended that is over when it is made.
type Ending struct {
	CompletedAt time.Time // default: now
	Error       json.RawMessage
}

// Create makes a run in the table that its id's format says. A run that breaks
// a unique index is a *UniqueError; one without its required fields an
// *InvalidError.
func (s *Store) Create(ctx context.Context, r NewRun) (Run, error) {
	return s.create(ctx, "create a run", r, nil, nil, nil)
}

// CreateCancelled is Create for a run that was canceled while it was still
// buffered: CANCELED, whatever r.Status says.
func (s *Store) CreateCancelled(ctx context.Context, r NewRun, e Ending) (Run, error) {
	at, none := s.at(e.CompletedAt), int32(0)
	r.Status = Canceled
	return s.create(ctx, "create a canceled run", r, &at, e.Error, &none)
}

// CreateFailed is Create for a run that could not be triggered, so that whoever
// waits for it sees why: SYSTEM_FAILURE, whatever r.Status says.
func (s *Store) CreateFailed(ctx context.Context, r NewRun, e Ending) (Run, error) {
	at := s.at(e.CompletedAt)
	r.Status = SystemFailure
	return s.create(ctx, "create a failed run", r, &at, e.Error, nil)
}

func (s *Store) create(ctx context.Context, doing string, r NewRun, completedAt *time.Time, failure json.RawMessage, attempt *int32) (Run, error) {
	for name, value := range map[string]string{
		"ID": r.ID, "EnvironmentID": r.EnvironmentID, "ProjectID": r.ProjectID, "TaskIdentifier": r.TaskIdentifier, "Payload": r.Payload + r.PayloadType,
	} {
		if value == "" {
			return Run{}, &InvalidError{What: "a new run", Reason: name + " is empty"}
		}
	}
	if r.IdempotencyKey != nil && utf8.RuneCountInString(*r.IdempotencyKey) > maxKey {
		return Run{}, &InvalidError{What: "a new run", Reason: "its idempotency key has more than 2048 characters"}
	}
	now := s.now()
	created := now
	if !r.CreatedAt.IsZero() {
		created = stamp(r.CreatedAt)
	}
	run, err := one[Run](ctx, s.writer(), s.runs[runid.Home(r.ID)].create, pgx.NamedArgs{
		"id": r.ID, "friendlyId": or(r.FriendlyID, runid.FormatRun(r.ID)), "number": r.Number,
		"environment": r.EnvironmentID, "project": r.ProjectID, "organization": null(r.OrganizationID), "environmentType": null(r.EnvironmentType),
		"task": r.TaskIdentifier, "payload": r.Payload, "payloadType": or(r.PayloadType, jsonType),
		"context": r.Context, "traceContext": r.TraceContext, "traceId": r.TraceID, "spanId": r.SpanID, "parentSpanId": r.ParentSpanID,
		"isTest": r.IsTest, "status": or(r.Status, Pending),
		"version": r.LockedToVersionID, "taskVersion": r.TaskVersion, "sdkVersion": r.SDKVersion, "cliVersion": r.CLIVersion,
		"lockedQueue": r.LockedQueueID, "queueTimestamp": stamped(r.QueueTimestamp), "debounce": r.Debounce,
		"queue": or(r.Queue, "task/"+r.TaskIdentifier), "workerQueue": or(r.WorkerQueue, "main"), "region": r.Region,
		"concurrencyKey": r.ConcurrencyKey, "priorityMs": r.PriorityMs, "queuedAt": stamped(r.QueuedAt), "delayUntil": stamped(r.DelayUntil),
		"ttl": r.TTL, "maxAttempts": r.MaxAttempts, "maxDuration": r.MaxDurationInSeconds, "machinePreset": r.MachinePreset, "planType": r.PlanType,
		"idempotencyKey": r.IdempotencyKey, "idempotencyKeyExpiresAt": stamped(r.IdempotencyKeyExpiresAt),
		"idempotencyKeyOptions": r.IdempotencyKeyOptions, "oneTimeUseToken": r.OneTimeUseToken,
		"tags": r.Tags, "bulkActions": orEmpty(r.BulkActionGroupIDs), "parentAttempt": r.ParentAttemptID, "scheduleInstanceId": r.ScheduleInstanceID,
		"batchId": r.BatchID, "root": r.RootRunID, "parent": r.ParentRunID,
		"resumeParent": r.ResumeParentOnCompletion, "depth": r.Depth, "scheduleId": r.ScheduleID, "replayedFrom": r.ReplayedFromFriendlyID,
		"metadata": r.Metadata, "metadataType": or(r.MetadataType, jsonType),
		"seedMetadata": or(r.SeedMetadata, r.Metadata), "seedMetadataType": or(r.SeedMetadataType, or(r.MetadataType, jsonType)), "annotations": r.Annotations,
		"eventStore": or(r.TaskEventStore, "taskEvent"), "basin": r.StreamBasinName,
		"streamsVersion": or(r.RealtimeStreamsVersion, "v1"), "created": created, "now": now,
		"completedAt": completedAt, "error": failure, "attempt": attempt,
	})
	return run, wrap(doing, err)
}

// maxKey is the platform's limit. Postgres has one too, which a key that can be
// compressed gets past.
const maxKey = 2048

// jsonType is the media type of payload, metadata and output unless another is
// given.
const jsonType = "application/json"

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// null is NULL for an empty text.
func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
