package platform

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// machines are the presets that SDKs know.
var machines = []string{"micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x"}

// maxName is how long a task, a queue or a concurrency key may be, in characters.
const maxName = 1024

// maxKey is how long an idempotency key may be, in characters.
const maxKey = trigger.MaxKey

// parseRun reads what a run is triggered with: an object with payload, context and
// options, as it is the body of a trigger and an item of a batch. What is wrong is
// noted with the fields. The platform's options that are of no consequence here,
// because nothing here has versions or gates, are passed over.
func parseRun(f fields, now time.Time) trigger.Request {
	r := trigger.Request{Context: f.members["context"]}
	if holdsNUL(r.Context) {
		f.wrong("context", "holds a NUL character, which cannot be stored")
	}
	options, ok := f.object("options")
	if !ok {
		options = fields{path: f.at("options"), issues: f.issues}
	}
	r.PayloadType = options.text("payloadType", 256)
	r.Payload, r.PayloadType = payloadOf(f, r.PayloadType)
	r.ParentRun = options.text("parentRunId", 0)
	r.ResumeParent = options.flag("resumeParentOnCompletion")
	if queue, ok := options.object("queue"); ok {
		r.Queue = queue.text("name", maxName)
	}
	r.ConcurrencyKey = options.textOrNumber("concurrencyKey")
	r.DelayUntil = options.delay("delay", now)
	r.TTL = options.ttl("ttl")
	r.IdempotencyKey = options.text("idempotencyKey", maxKey)
	r.IdempotencyKeyExpiresAt = options.keyLife("idempotencyKeyTTL", now)
	if scope, ok := options.object("idempotencyKeyOptions"); ok {
		r.IdempotencyKeyOptions = &trigger.IdempotencyScope{Key: scope.text("key", maxKey), Scope: scope.text("scope", 0)}
		if !slices.Contains([]string{"run", "attempt", "global"}, r.IdempotencyKeyOptions.Scope) {
			scope.wrong("scope", "Invalid option: expected one of run, attempt, global")
		}
	}
	if r.Machine = options.text("machine", 256); r.Machine != "" && !slices.Contains(machines, r.Machine) {
		options.wrong("machine", "Invalid option: expected one of "+strings.Join(machines, ", "))
	}
	r.MaxAttempts = options.integer("maxAttempts", 0, math.MaxInt32)
	r.MaxDuration = int32(options.number("maxDuration", 0, math.MaxInt32))
	r.Metadata, r.MetadataType = metadataOf(options)
	r.Tags = slices.DeleteFunc(options.texts("tags", trigger.MaxTag), func(tag string) bool { return tag == "" })
	r.IsTest = options.flag("test")
	r.PriorityMs = int32(options.number("priority", -math.MaxInt32/1000, math.MaxInt32/1000) * 1000)
	r.Region = options.text("region", 256)
	for _, passed := range []string{"lockToVersion", "bulkActionId", "parentBatch"} {
		options.text(passed, 0) // of no consequence, but of the right type
	}
	if options.has("debounce", "object") {
		options.note(notBuiltCode, "debounce", "is not built here") // to pass it over would make more runs than were asked for
	}
	return r
}

// checkLimits refuses what is right but too much. For one run package trigger does;
// of a batch no run may be made before all are known to be right.
func checkLimits(r trigger.Request) error {
	switch {
	case len(r.Tags) > trigger.MaxTags:
		return tooManyTags(len(r.Tags))
	case len(r.Metadata) > trigger.MaxMetadata:
		return &refusal{status: http.StatusRequestEntityTooLarge, text: "Metadata exceeds maximum size", retry: no}
	case r.Metadata != "" && (r.MetadataType == "" || r.MetadataType == plainJSON) && !json.Valid([]byte(r.Metadata)):
		return bodyError(issue{"custom", []string{"options", "metadata"}, "is not JSON"})
	}
	return nil
}

func tooManyTags(n int) error {
	return &refusal{status: http.StatusUnprocessableEntity, retry: no,
		text: fmt.Sprintf("Runs can only have %d tags, you're trying to set %d.", trigger.MaxTags, n)}
}

// payloadOf is a payload as it is stored. SDKs send a text and its type; who
// writes requests by hand may send any value, and then it is JSON.
func payloadOf(f fields, mediaType string) (payload, of string) {
	member := f.members["payload"]
	kind := kindOf(member)
	if mediaType == stored && kind != "string" {
		f.wrong("payload", "payload must be a non-empty string when options.payloadType is application/store")
		return "", ""
	}
	switch kind {
	case "undefined":
		return "", ""
	case "string":
		text := f.text("payload", 0)
		switch {
		case text == "" && mediaType == "":
			return `""`, plainJSON
		case (mediaType == "" || mediaType == plainJSON) && !json.Valid([]byte(text)):
			return string(member), plainJSON // a text, and not the JSON of one
		}
		return text, mediaType
	}
	return string(member), plainJSON
}

// metadataOf is metadata as it is stored: an object, or the JSON of one.
func metadataOf(options fields) (metadata, of string) {
	of = options.text("metadataType", 256)
	if !options.has("metadata", "object", "string", "null") || kindOf(options.members["metadata"]) == "null" {
		return "", of
	}
	if kindOf(options.members["metadata"]) == "string" {
		return options.text("metadata", 0), of
	}
	return string(options.members["metadata"]), plainJSON
}

func (f fields) textOrNumber(name string) string {
	if !f.has(name, "string", "number") {
		return ""
	}
	if kindOf(f.members[name]) == "string" {
		return f.text(name, maxName)
	}
	number := string(f.members[name])
	if len(number) > maxName {
		f.wrong(name, fmt.Sprintf("%s must be %d characters or less", name, maxName))
		return ""
	}
	return number
}

// delay reads a time that is to come: a duration from now, or a date. One that is
// over is none.
func (f fields) delay(name string, now time.Time) time.Time {
	if !f.has(name, "string", "number") {
		return time.Time{}
	}
	text := f.textOrNumber(name)
	if period, ok := parsePeriod(text); ok {
		return now.Add(period)
	}
	at, problem := parseTime(text)
	if problem != "" {
		f.wrong(name, "is neither a duration such as 1h30m nor a date")
	}
	return at
}

// ttl reads how long a run may wait: a duration, or a number of seconds.
func (f fields) ttl(name string) string {
	if !f.has(name, "string", "number") {
		return ""
	}
	if kindOf(f.members[name]) == "number" {
		if n := f.integer(name, 0, math.MaxInt32); n > 0 {
			return fmt.Sprintf("%ds", n)
		}
		return ""
	}
	text := f.text(name, 256)
	if _, ok := parsePeriod(text); !ok && text != "" {
		f.wrong(name, "is not a duration such as 1h30m")
	}
	return text
}

// keyLife reads until when an idempotency key counts; the zero time if nothing is
// said.
func (f fields) keyLife(name string, now time.Time) time.Time {
	text := f.text(name, 256)
	if text == "" {
		return time.Time{}
	}
	period, ok := parsePeriod(text)
	if !ok {
		f.wrong(name, "is not a duration such as 1h30m")
	}
	return now.Add(period)
}
