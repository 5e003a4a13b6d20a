package platform

import (
	"net/http"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// apiVersion is the header by which SDKs from 4 on say which words they know, and
// currentVersion its only value so far.
const (
	apiVersion     = "X-Trigger-Api-Version"
	currentVersion = "2025-07-16"
)

// vocabulary is the words that an API version has for the statuses of runs.
type vocabulary map[runstore.Status]string

var current = vocabulary{
	runstore.Delayed: "DELAYED", runstore.Pending: "QUEUED", runstore.Dequeued: "DEQUEUED", runstore.Executing: "EXECUTING",
	runstore.PendingVersion: "PENDING_VERSION", runstore.WaitingForDeploy: "PENDING_VERSION",
	runstore.RetryingAfterFailure: "EXECUTING", runstore.Paused: "WAITING", runstore.WaitingToResume: "WAITING",
	runstore.CompletedSuccessfully: "COMPLETED", runstore.Canceled: "CANCELED", runstore.CompletedWithErrors: "FAILED",
	runstore.Interrupted: "FAILED", runstore.Crashed: "CRASHED", runstore.SystemFailure: "SYSTEM_FAILURE",
	runstore.Expired: "EXPIRED", runstore.TimedOut: "TIMED_OUT",
}

// former has the words before there were versions.
var former = vocabulary{
	runstore.Delayed: "DELAYED", runstore.Pending: "QUEUED", runstore.Dequeued: "EXECUTING", runstore.Executing: "EXECUTING",
	runstore.PendingVersion: "PENDING_VERSION", runstore.WaitingForDeploy: "WAITING_FOR_DEPLOY",
	runstore.RetryingAfterFailure: "REATTEMPTING", runstore.Paused: "FROZEN", runstore.WaitingToResume: "FROZEN",
	runstore.CompletedSuccessfully: "COMPLETED", runstore.Canceled: "CANCELED", runstore.CompletedWithErrors: "FAILED",
	runstore.Interrupted: "INTERRUPTED", runstore.Crashed: "CRASHED", runstore.SystemFailure: "SYSTEM_FAILURE",
	runstore.Expired: "EXPIRED", runstore.TimedOut: "TIMED_OUT",
}

// wordsFor are the words that a request's SDK knows.
func wordsFor(r *http.Request) vocabulary {
	if r.Header.Get(apiVersion) == currentVersion {
		return current
	}
	return former
}

// statusesOf are the statuses that a word of either vocabulary stands for; none
// for any other text.
func statusesOf(word string) (all []runstore.Status) {
	for _, words := range []vocabulary{current, former} {
		for status, w := range words {
			if w == word && !slices.Contains(all, status) {
				all = append(all, status)
			}
		}
	}
	return all
}

// flags are what an answer says of a run beside its status.
type flags struct {
	IsQueued    bool `json:"isQueued"`
	IsExecuting bool `json:"isExecuting"`
	IsWaiting   bool `json:"isWaiting"`
	IsCompleted bool `json:"isCompleted"`
	IsSuccess   bool `json:"isSuccess"`
	IsFailed    bool `json:"isFailed"`
	IsCancelled bool `json:"isCancelled"`
}

// flagsOf reads them off the word, by the platform's own lists: EXPIRED and
// TIMED_OUT are on none of them, so that an SDK which polls such a run polls on.
func flagsOf(word string) flags {
	is := func(words ...string) bool { return slices.Contains(words, word) }
	failed := is("FAILED", "CRASHED", "INTERRUPTED", "SYSTEM_FAILURE")
	return flags{
		IsQueued:    is("QUEUED", "WAITING_FOR_DEPLOY", "DELAYED", "PENDING_VERSION"),
		IsExecuting: is("EXECUTING", "REATTEMPTING", "FROZEN", "DEQUEUED"),
		IsWaiting:   is("WAITING"),
		IsCompleted: failed || is("COMPLETED", "CANCELED"),
		IsSuccess:   is("COMPLETED"),
		IsFailed:    failed,
		IsCancelled: is("CANCELED"),
	}
}
