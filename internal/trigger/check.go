package trigger

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// maxIndexed is how many bytes environment, task and key may have together. They
// are one entry of an index, of which Postgres keeps 2,704 with what it adds.
const maxIndexed = 2600

// Check refuses what the store could not keep, or clients could not read: all that
// Trigger refuses before it claims or asks anything. Of several things wrong it says
// the same each time. Who triggers many checks all of them first. A request that passes
// can be refused still for what is in the database: its parent, or its token.
func (r *Request) Check() error {
	e := r.Environment
	for _, part := range []struct{ name, id string }{{"id", e.ID}, {"project", e.ProjectID}, {"organization", e.OrganizationID}} {
		if part.id == "" {
			return fmt.Errorf("trigger: Request.Environment has no %s", part.name) // the caller's fault, not the client's
		}
	}
	if r.Task == "" {
		return &InvalidError{Field: "taskId", Reason: "is empty"}
	}
	for _, text := range []struct {
		field, value string
		most         int // characters; 0: the database's own limit
	}{
		{"taskId", r.Task, 1024}, {"payload", r.Payload, 0}, {"payloadType", r.PayloadType, 256},
		{"options.queue", r.Queue, 1024}, {"options.workerQueue", r.WorkerQueue, 1024}, {"options.region", r.Region, 256},
		{"options.concurrencyKey", r.ConcurrencyKey, 1024}, {"options.ttl", r.TTL, 256}, {"options.machine", r.Machine, 256},
		{"options.metadataType", r.MetadataType, 256}, {"options.planType", r.PlanType, 256},
		{"options.batchId", r.BatchID, 256}, {"options.scheduleId", r.ScheduleID, 256}, {"options.replayedFrom", r.ReplayedFrom, 256},
		{"options.idempotencyKey", r.IdempotencyKey, MaxKey}, {"oneTimeUseToken", r.OneTimeUseToken, 256},
		{"traceId", r.Trace.TraceID, 256}, {"spanId", r.Trace.SpanID, 256}, {"parentSpanId", r.Trace.ParentSpanID, 256},
		{"realtimeStreamsVersion", r.StreamsVersion, 16},
	} {
		if err := checkText(text.field, text.value, text.most); err != nil {
			return err
		}
	}
	for _, document := range []struct {
		field string
		value json.RawMessage
	}{{"context", r.Context}, {"annotations", r.Annotations}, {"traceContext", r.Trace.Context}} {
		if err := checkJSON(document.field, document.value); err != nil {
			return err
		}
	}
	if n := len(e.ID) + len(r.Task) + len(r.IdempotencyKey); n > maxIndexed {
		field := "options.idempotencyKey"
		if r.IdempotencyKey == "" {
			field = "taskId"
		}
		return &InvalidError{Field: field, Reason: fmt.Sprintf("is too long: with the task and the environment's id it has %d bytes, and may have %d", n, maxIndexed)}
	}
	for _, when := range []struct {
		field string
		at    time.Time
	}{{"options.delay", r.DelayUntil}, {"options.idempotencyKeyTTL", r.IdempotencyKeyExpiresAt}} {
		if year := when.at.UTC().Year(); !when.at.IsZero() && (year < 1 || year > 9999) {
			return &InvalidError{Field: when.field, Reason: "is not a time in the years 1 to 9999"}
		}
	}
	for _, number := range []struct {
		field string
		n     int32
	}{{"options.maxAttempts", r.MaxAttempts}, {"options.maxDuration", r.MaxDuration}} {
		if number.n < 0 {
			return &InvalidError{Field: number.field, Reason: "is negative"}
		}
	}
	if r.ParentRun != "" {
		if _, err := runid.ParseRun(r.ParentRun); err != nil {
			return &InvalidError{Field: "options.parentRunId", Reason: "is not the id of a run, which reads run_<id>", err: err}
		}
	}
	if r.ResumeParent && r.ParentRun == "" {
		return &InvalidError{Field: "options.resumeParentOnCompletion", Reason: "is set, and there is no options.parentRunId"}
	}
	if err := checkTags(r.Tags); err != nil {
		return err
	}
	if err := checkMetadata("options.metadata", r.Metadata, r.MetadataType); err != nil {
		return err
	}
	return r.IdempotencyKeyOptions.check()
}

func checkTags(tags []string) error {
	const field = "options.tags"
	if len(tags) > MaxTags {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("has %d tags, and a run may have %d", len(tags), MaxTags)}
	}
	for _, tag := range tags {
		if tag == "" {
			return &InvalidError{Field: field, Reason: "has an empty tag"}
		}
		if err := checkText(field, tag, MaxTag); err != nil {
			return err
		}
	}
	return nil
}

func checkMetadata(field, metadata, kind string) error {
	if len(metadata) > MaxMetadata {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("has more than %d bytes", MaxMetadata), TooLarge: true}
	}
	if err := checkText(field, metadata, 0); err != nil {
		return err
	}
	if metadata != "" && (kind == "" || kind == jsonType) && !json.Valid([]byte(metadata)) {
		return &InvalidError{Field: field, Reason: "is not JSON"}
	}
	if metadata != "" && (kind == "" || kind == jsonType) && tooDeep([]byte(metadata)) {
		return &InvalidError{Field: field, Reason: depthReason}
	}
	return nil
}

func (o *IdempotencyScope) check() error {
	if o == nil {
		return nil
	}
	switch o.Scope {
	case "run", "attempt", "global":
	default:
		return &InvalidError{Field: "options.idempotencyKeyOptions.scope", Reason: "is none of run, attempt and global"}
	}
	return checkText("options.idempotencyKeyOptions.key", o.Key, MaxKey)
}

// checkText refuses a text that Postgres cannot keep, or that is too long.
func checkText(field, value string, most int) error {
	switch {
	case !utf8.ValidString(value):
		return &InvalidError{Field: field, Reason: "is not UTF-8"}
	case strings.ContainsRune(value, 0):
		return &InvalidError{Field: field, Reason: "holds a NUL character"}
	case most > 0 && utf8.RuneCountInString(value) > most:
		return &InvalidError{Field: field, Reason: fmt.Sprintf("has more than %d characters", most)}
	}
	return nil
}
