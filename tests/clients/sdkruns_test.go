package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// generation is what a version of the SDK makes of a row: RunSubscription's
// transformRunShape and what it calls, in core's apiClient/runStream.js. To its
// user it gives another name here and there, times as times, payload and the like
// parsed, NULL left out.
type generation int

const (
	sdk3  generation = iota // numbers of runs, words of its own for a status, no flags
	sdk40                   // no numbers, other words, flags
	sdk48                   // and the keys of streams
)

// run is a row as the SDK gives it.
func (g generation) run(r row) (row, error) {
	out := row{
		"id": r["friendlyId"], "taskIdentifier": r["taskIdentifier"], "isTest": r["isTest"], "durationMs": r["usageDurationMs"],
		"costInCents": r["costInCents"], "baseCostInCents": r["baseCostInCents"], "tags": orNone(r["runTags"]),
	}
	for name, column := range map[string]string{
		"createdAt": "createdAt", "updatedAt": "updatedAt", "startedAt": "startedAt", "delayedUntil": "delayUntil",
		"queuedAt": "queuedAt", "expiredAt": "expiredAt", "finishedAt": "completedAt",
	} {
		if text, ok := r[column].(string); ok {
			at, err := time.Parse(time.DateTime, text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", column, err)
			}
			out[name] = at.Format("2006-01-02T15:04:05.000Z")
		}
	}
	for _, name := range []string{"payload", "metadata", "output"} {
		if text, ok := r[name].(string); ok {
			var value any
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out[name] = value
		}
	}
	if fault, ok := r["error"].(map[string]any); ok {
		out["error"] = map[string]any{"name": fault["name"], "message": fault["message"], "stackTrace": fault["stackTrace"]}
	}
	word, known := g.words()[r["status"].(string)]
	if !known {
		return nil, fmt.Errorf("a run of status %s: this SDK has no word for it, so the tests must not write one", r["status"])
	}
	out["status"] = word
	switch g {
	case sdk3:
		out["number"] = r["number"]
	case sdk48:
		out["realtimeStreams"] = orNone(r["realtimeStreams"])
	}
	if g >= sdk40 {
		maps.Copy(out, flags(word))
	}
	return out, nil
}

func orNone(list any) any {
	if list == nil {
		return []any{}
	}
	return list
}

// words are the SDK's for each status (apiStatusFromRunStatus).
func (g generation) words() map[string]string {
	words := map[string]string{
		"DELAYED": "DELAYED", "PENDING": "QUEUED", "EXECUTING": "EXECUTING", "CANCELED": "CANCELED",
		"COMPLETED_SUCCESSFULLY": "COMPLETED", "COMPLETED_WITH_ERRORS": "FAILED",
		"SYSTEM_FAILURE": "SYSTEM_FAILURE", "CRASHED": "CRASHED", "EXPIRED": "EXPIRED",
	}
	if g == sdk3 { // any other throws, TIMED_OUT up to 3.3.6 too
		maps.Copy(words, map[string]string{
			"WAITING_FOR_DEPLOY": "WAITING_FOR_DEPLOY", "PAUSED": "FROZEN", "WAITING_TO_RESUME": "FROZEN",
			"RETRYING_AFTER_FAILURE": "REATTEMPTING", "INTERRUPTED": "INTERRUPTED",
		})
	} else {
		maps.Copy(words, map[string]string{
			"WAITING_FOR_DEPLOY": "PENDING_VERSION", "PENDING_VERSION": "PENDING_VERSION", "DEQUEUED": "DEQUEUED", "PAUSED": "WAITING",
			"WAITING_TO_RESUME": "WAITING", "RETRYING_AFTER_FAILURE": "EXECUTING", "INTERRUPTED": "FAILED", "TIMED_OUT": "TIMED_OUT",
		})
	}
	return words
}

// flags are what SDKs from 4 on derive from the word (booleanHelpersFromRunStatus).
func flags(word string) row {
	is := func(words ...string) bool { return slices.Contains(words, word) }
	failed, success := is("FAILED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT"), is("COMPLETED")
	return row{
		"isQueued": is("PENDING_VERSION", "QUEUED", "PENDING", "DELAYED"), "isWaiting": is("WAITING"),
		"isExecuting": is("DEQUEUED", "EXECUTING"), "isCompleted": success || failed,
		"isFailed": failed, "isSuccess": success, "isCancelled": is("CANCELED"),
	}
}
