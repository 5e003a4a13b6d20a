package feeds

import "slices"

// columns are those of a run that a subscriber gets: the platform's list, which
// its SDKs check each row against.
var columns = [...]string{
	"id", "taskIdentifier", "createdAt", "updatedAt", "startedAt", "delayUntil", "queuedAt", "expiredAt",
	"completedAt", "friendlyId", "number", "isTest", "status", "usageDurationMs", "costInCents",
	"baseCostInCents", "ttl", "payload", "payloadType", "metadata", "metadataType", "output", "outputType",
	"runTags", "error", "realtimeStreams",
}

// reserved columns are given to everybody: without them an SDK cannot tell runs
// apart, or stops with an error.
var reserved = [...]string{"id", "taskIdentifier", "friendlyId", "status", "createdAt"}

// without is the list of columns but for those to be skipped. Names that are no
// columns, or reserved, do not count.
func without(skip []string) []string {
	return slices.DeleteFunc(slices.Clone(columns[:]), func(c string) bool {
		return slices.Contains(skip, c) && !slices.Contains(reserved[:], c)
	})
}

// Columns is the whole list: what the run tables must have.
func Columns() []string { return without(nil) }
