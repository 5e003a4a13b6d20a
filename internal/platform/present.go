package platform

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// instant is a time as JavaScript writes it.
type instant time.Time

// MarshalJSON implements json.Marshaler.
func (i instant) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(i).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

func instantOf(t *time.Time) *instant {
	if t == nil {
		return nil
	}
	i := instant(*t)
	return &i
}

// common is what lists and single runs say alike.
type common struct {
	ID             string  `json:"id"`
	TaskIdentifier string  `json:"taskIdentifier"`
	IdempotencyKey *string `json:"idempotencyKey,omitempty"`
	Version        *string `json:"version,omitempty"`
	Status         string  `json:"status"`
	flags
	IsTest          bool            `json:"isTest"`
	CreatedAt       instant         `json:"createdAt"`
	UpdatedAt       instant         `json:"updatedAt"`
	StartedAt       *instant        `json:"startedAt,omitempty"`
	FinishedAt      *instant        `json:"finishedAt,omitempty"`
	DelayedUntil    *instant        `json:"delayedUntil,omitempty"`
	ExpiredAt       *instant        `json:"expiredAt,omitempty"`
	TTL             *string         `json:"ttl,omitempty"`
	Tags            []string        `json:"tags"`
	CostInCents     float64         `json:"costInCents"`
	BaseCostInCents float64         `json:"baseCostInCents"`
	DurationMs      int32           `json:"durationMs"`
	Depth           int32           `json:"depth"`
	Metadata        json.RawMessage `json:"metadata,omitempty"`
	TaskKind        string          `json:"taskKind,omitempty"`
	Region          *string         `json:"region,omitempty"`
}

func commonOf(run runstore.Run, words vocabulary) common {
	word := words[run.Status]
	tags := slices.Sorted(slices.Values(run.Tags))
	if tags == nil {
		tags = []string{}
	}
	c := common{
		ID: run.FriendlyID, TaskIdentifier: run.TaskIdentifier, IdempotencyKey: givenKey(run), Version: run.TaskVersion,
		Status: word, flags: flagsOf(word), IsTest: run.IsTest,
		CreatedAt: instant(run.CreatedAt), UpdatedAt: instant(run.UpdatedAt),
		StartedAt: instantOf(run.StartedAt), FinishedAt: instantOf(run.CompletedAt),
		DelayedUntil: instantOf(run.DelayUntil), ExpiredAt: instantOf(run.ExpiredAt), TTL: run.TTL,
		Tags: tags, CostInCents: run.CostInCents, BaseCostInCents: run.BaseCostInCents, DurationMs: run.UsageDurationMs,
		Depth: run.Depth, TaskKind: taskKind(run), Region: run.Region,
	}
	if run.Metadata != nil {
		c.Metadata = record(valueOf(*run.Metadata, run.MetadataType))
	}
	return c
}

// givenKey is the idempotency key as the user gave it: what is stored is a hash
// of it, if the SDK made one.
func givenKey(run runstore.Run) *string {
	var options struct{ Key *string }
	if json.Unmarshal(run.IdempotencyKeyOptions, &options) == nil && options.Key != nil {
		return options.Key
	}
	return run.IdempotencyKey
}

func taskKind(run runstore.Run) string {
	var annotations struct{ TaskKind string }
	_ = json.Unmarshal(run.Annotations, &annotations) // what is not there is not said
	return annotations.TaskKind
}

// related is a run as a member of another's family.
type related struct {
	common
	TriggerFunction string  `json:"triggerFunction"`
	BatchID         *string `json:"batchId,omitempty"`
}

func relatedOf(run runstore.Run, in batches, words vocabulary) related {
	return related{common: commonOf(run, words), TriggerFunction: triggerFunction(run), BatchID: in.of(run)}
}

// triggerFunction is the SDK's function that made a run.
func triggerFunction(run runstore.Run) string {
	switch {
	case run.BatchID != nil && run.ResumeParentOnCompletion:
		return "batchTriggerAndWait"
	case run.BatchID != nil:
		return "batchTrigger"
	case run.ResumeParentOnCompletion:
		return "triggerAndWait"
	}
	return "trigger"
}
