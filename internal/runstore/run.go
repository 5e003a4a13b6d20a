package runstore

import (
	"encoding/json"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Run is a row of a run table. A nil pointer, slice or JSON value is NULL. Times
// are in UTC, to the millisecond. The `db` tags are the columns' names, and the
// list of columns in every statement is made from them.
//
// Left out are columns that no one but the platform's engine has a use for.
type Run struct {
	ID           string  `db:"id"`
	Number       int32   `db:"number"` // counts an environment's runs; not unique
	FriendlyID   string  `db:"friendlyId"`
	Engine       string  `db:"engine"` // V1 or V2
	Status       Status  `db:"status"`
	StatusReason *string `db:"statusReason"`

	IdempotencyKey          *string         `db:"idempotencyKey"`
	IdempotencyKeyExpiresAt *time.Time      `db:"idempotencyKeyExpiresAt"`
	IdempotencyKeyOptions   json.RawMessage `db:"idempotencyKeyOptions"` // {"key": as the user gave it, "scope"}
	OneTimeUseToken         *string         `db:"oneTimeUseToken"`

	TaskIdentifier string          `db:"taskIdentifier"`
	IsTest         bool            `db:"isTest"`
	Payload        string          `db:"payload"`
	PayloadType    string          `db:"payloadType"` // a media type; application/store means that Payload names a file
	Context        json.RawMessage `db:"context"`
	TraceContext   json.RawMessage `db:"traceContext"`
	TraceID        string          `db:"traceId"`
	SpanID         string          `db:"spanId"`
	ParentSpanID   *string         `db:"parentSpanId"`

	EnvironmentID   string  `db:"runtimeEnvironmentId"`
	EnvironmentType *string `db:"environmentType"`
	ProjectID       string  `db:"projectId"`
	OrganizationID  *string `db:"organizationId"`

	Queue          string     `db:"queue"`
	LockedQueueID  *string    `db:"lockedQueueId"`
	WorkerQueue    string     `db:"masterQueue"`
	Region         *string    `db:"region"`
	ConcurrencyKey *string    `db:"concurrencyKey"`
	PriorityMs     int32      `db:"priorityMs"`
	QueueTimestamp *time.Time `db:"queueTimestamp"`
	DelayUntil     *time.Time `db:"delayUntil"`
	QueuedAt       *time.Time `db:"queuedAt"`
	TTL            *string    `db:"ttl"` // a duration as users write it, "10m"
	ExpiredAt      *time.Time `db:"expiredAt"`

	CreatedAt   time.Time  `db:"createdAt"`
	UpdatedAt   time.Time  `db:"updatedAt"`
	StartedAt   *time.Time `db:"startedAt"`   // a worker took it for the first time
	ExecutedAt  *time.Time `db:"executedAt"`  // its first attempt began
	CompletedAt *time.Time `db:"completedAt"` // it is over

	AttemptNumber        *int32          `db:"attemptNumber"`
	MaxAttempts          *int32          `db:"maxAttempts"`
	LockedAt             *time.Time      `db:"lockedAt"`
	LockedByID           *string         `db:"lockedById"` // the worker's task
	LockedToVersionID    *string         `db:"lockedToVersionId"`
	LockedRetryConfig    json.RawMessage `db:"lockedRetryConfig"`
	TaskVersion          *string         `db:"taskVersion"`
	SDKVersion           *string         `db:"sdkVersion"`
	CLIVersion           *string         `db:"cliVersion"`
	MachinePreset        *string         `db:"machinePreset"`
	IsWarmStart          *bool           `db:"isWarmStart"`
	MaxDurationInSeconds *int32          `db:"maxDurationInSeconds"`

	UsageDurationMs int32   `db:"usageDurationMs"`
	CostInCents     float64 `db:"costInCents"`
	BaseCostInCents float64 `db:"baseCostInCents"`
	PlanType        *string `db:"planType"`

	Tags                     []string `db:"runTags"` // NULL and empty both occur, and mean the same
	BulkActionGroupIDs       []string `db:"bulkActionGroupIds"`
	ScheduleID               *string  `db:"scheduleId"`
	ScheduleInstanceID       *string  `db:"scheduleInstanceId"`
	ReplayedFromFriendlyID   *string  `db:"replayedFromTaskRunFriendlyId"`
	RootRunID                *string  `db:"rootTaskRunId"` // this and the next: in either table, perhaps stale
	ParentRunID              *string  `db:"parentTaskRunId"`
	ParentAttemptID          *string  `db:"parentTaskRunAttemptId"`
	BatchID                  *string  `db:"batchId"`
	ResumeParentOnCompletion bool     `db:"resumeParentOnCompletion"`
	Depth                    int32    `db:"depth"` // 0 for a root

	SeedMetadata     *string         `db:"seedMetadata"` // as it was triggered with
	SeedMetadataType string          `db:"seedMetadataType"`
	Metadata         *string         `db:"metadata"`
	MetadataType     string          `db:"metadataType"`
	MetadataVersion  int32           `db:"metadataVersion"` // grows with each change of Metadata
	Annotations      json.RawMessage `db:"annotations"`
	Output           *string         `db:"output"`
	OutputType       string          `db:"outputType"`
	Error            json.RawMessage `db:"error"` // see BuiltInError

	RealtimeStreamsVersion string   `db:"realtimeStreamsVersion"`
	RealtimeStreams        []string `db:"realtimeStreams"`
	StreamBasinName        *string  `db:"streamBasinName"`
}

// Table is the table that the run is in.
func (r Run) Table() runid.Table { return runid.Home(r.ID) }

// Key names the run for a write.
func (r Run) Key() Key { return Key{EnvironmentID: r.EnvironmentID, ID: r.ID} }

// Key names one run or batch, in an environment. The same id in another
// environment names nothing.
type Key struct {
	EnvironmentID string
	ID            string // the row's id, not the friendly one
}
