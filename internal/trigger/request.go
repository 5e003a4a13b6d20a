package trigger

import (
	"encoding/json"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Request is a run to be triggered. The zero value of a field that is not required
// is "none", or the default named.
type Request struct {
	Environment auth.Environment // required, with all its ids
	Task        string           // required: the task's identifier

	// ID is the row's, of NewID; default: a new one. Who gives one may try again with
	// it when it is not known whether the run was made: a row that has it is that run.
	ID string

	Payload     string // default: "{}" if PayloadType is empty too, else the empty text
	PayloadType string // default: application/json
	Context     json.RawMessage
	IsTest      bool

	Metadata     string // JSON, of at most MaxMetadata bytes
	MetadataType string // default: application/json
	Tags         []string
	Annotations  json.RawMessage

	Queue          string // default: task/<Task>
	WorkerQueue    string // default: main
	Region         string
	ConcurrencyKey string
	PriorityMs     int32
	DelayUntil     time.Time // a time that is over is none
	TTL            string    // a duration as users write it, "10m"
	MaxAttempts    int32     // 0: the task's own
	MaxDuration    int32     // seconds; 0: the task's own
	Machine        string    // a preset's name
	PlanType       string

	// ParentRun is the friendly id of the run that triggers this one. It has to be
	// in the environment. With ResumeParent it waits for this run, and must not be
	// over.
	ParentRun    string
	ResumeParent bool

	// BatchID is the id of the batch, not its friendly one. The caller has found
	// the batch in the environment. The run's place in it stands in the batch's
	// own list of runs.
	BatchID string

	ScheduleID   string
	ReplayedFrom string // the friendly id of the run that this one repeats

	IdempotencyKey          string            // as it is stored: hashed by the SDK, at most MaxKey characters
	IdempotencyKeyExpiresAt time.Time         // default: DefaultKeyLife from now
	IdempotencyKeyOptions   *IdempotencyScope // nil: the SDK does not say

	// OneTimeUseToken stands for a credential that may trigger one run: the
	// SHA-256 of the token, in hex.
	OneTimeUseToken string

	Trace          Trace
	StreamsVersion string // default: v1
}

// IdempotencyScope is what the SDK tells of a key before it hashed it. The store
// keeps it for who looks at the run.
type IdempotencyScope struct {
	Key   string `json:"key"`   // as the user gave it
	Scope string `json:"scope"` // run, attempt or global
}

// Trace is the run's place in a trace. What is empty is made up, or taken from the
// parent.
type Trace struct {
	TraceID      string
	SpanID       string
	ParentSpanID string
	Context      json.RawMessage
}

// Result is the run of a request.
type Result struct {
	ID         string // of the row
	FriendlyID string

	// Run is the row. It is nil if the run is still in the platform's trigger
	// buffer, which only happens if IsCached.
	Run *runstore.Run

	// IsCached says that an earlier request with the same idempotency key made it.
	IsCached bool
}

// What a request may hold at most.
const (
	MaxTags        = 10
	MaxTag         = 128       // characters
	MaxMetadata    = 256 << 10 // bytes
	MaxKey         = 2048      // characters; see Request.Check for its bytes
	DefaultKeyLife = 30 * 24 * time.Hour
)
