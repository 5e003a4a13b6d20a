package runstore_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// args are what a method of the store is given, but for the context. It knows all of
// them but those of notAsked.
func (m *machine) args(t *rapid.T, method string) []any {
	switch method {
	case "Create":
		return []any{m.newRun(t)}
	case "CreateCancelled", "CreateFailed":
		return []any{m.newRun(t), some[runstore.Ending](t, "ending")}
	case "CreateBatch":
		return []any{m.newBatch(t)}
	case "SealBatch":
		return []any{m.open(t), m.someNames(t)}
	case "CompleteBatch":
		return []any{m.anyBatch(t).Key(), some[runstore.BatchOutcome](t, "outcome")}

	case "Requeue", "SuspendForCheckpoint", "ResumeFromCheckpoint", "FindByID":
		return []any{m.key(t)}
	case "LockToWorker":
		return []any{m.key(t), some[runstore.Lock](t, "lock")}
	case "StartAttempt":
		return []any{m.key(t), some[runstore.Attempt](t, "attempt")}
	case "CompleteAttemptSuccess":
		return []any{m.key(t), some[runstore.Success](t, "success")}
	case "RecordRetryOutcome":
		return []any{m.key(t), some[runstore.Retry](t, "retry")}
	case "FailPermanently":
		return []any{m.key(t), some[runstore.Failure](t, "failure")}
	case "Cancel":
		return []any{m.key(t), some[runstore.Cancellation](t, "cancellation")}
	case "Finalize":
		return []any{m.key(t), some[runstore.Final](t, "end")}
	case "Expire":
		return []any{m.key(t), some[runstore.Expiry](t, "expiry")}
	case "ExpireMany":
		return []any{m.keys(t), some[runstore.Expiry](t, "expiry")}
	case "RecordBulkAction", "ParkPendingVersion", "PushRealtimeStream":
		return []any{m.key(t), word(t, "text")}
	case "PromotePendingVersion":
		return []any{m.waiting(t), some[runstore.Promotion](t, "promotion")}
	case "ExpireParked":
		return []any{m.waiting(t), some[runstore.ParkedExpiry](t, "expiry")}
	case "Reschedule":
		return []any{m.key(t), moment(t, "until"), some[*time.Time](t, "queue timestamp")}
	case "EnqueueDelayed":
		return []any{m.key(t), some[time.Time](t, "queued at")}
	case "RewriteDebounced":
		return []any{m.key(t), some[runstore.Debounced](t, "debounced")}
	case "UpdateMetadata":
		return []any{m.key(t), some[runstore.MetadataUpdate](t, "metadata")}
	case "PushTags":
		return []any{m.key(t), some[[]string](t, "tags")}
	case "ClearIdempotencyKey":
		run := m.anyRun(t)
		return []any{run.Key(), orIts(t, run.IdempotencyKey, oneOf(t, "key", idempotencyKeys...))}
	case "ClearIdempotencyKeyOfTask", "FindByIdempotencyKey":
		env, task, key := m.idempotency(t)
		return []any{env, task, key}
	case "ClearIdempotencyKeys":
		return []any{m.env(t), m.friendlies(t)}

	case "FindByFriendlyID", "FindRefByFriendlyID":
		run := m.anyRun(t)
		if rarely(t, "a batch's name") {
			return []any{run.EnvironmentID, m.batchName(t)}
		}
		return []any{run.EnvironmentID, parsed(run.FriendlyID)}
	case "FindBatchByFriendlyID":
		b := m.anyBatch(t)
		if rarely(t, "a run's name") {
			return []any{b.EnvironmentID, parsed(m.anyRun(t).FriendlyID)}
		}
		return []any{b.EnvironmentID, batchNamed(b)}
	case "FindByIDs", "FindChildren":
		return []any{m.env(t), m.someIDs(t)}
	case "FindOne", "Count":
		return []any{m.env(t), m.filter(t)}
	case "FindMany":
		return []any{m.query(t)}
	case "FindPage":
		return []any{m.pageQuery(t)}
	case "FindByIdempotencyKeys":
		env, task, key := m.idempotency(t)
		return []any{env, task, append(someOf(t, "more keys", 2, idempotencyKeys...), key)}
	case "FindByOneTimeUseToken":
		run := m.anyRun(t)
		return []any{run.EnvironmentID, orIts(t, run.OneTimeUseToken, oneOf(t, "token", m.tokens...))}
	case "FindBatchByIdempotencyKey":
		b := m.anyBatch(t)
		return []any{b.EnvironmentID, orIts(t, b.IdempotencyKey, oneOf(t, "key", idempotencyKeys...))}
	case "FindFamily":
		return []any{m.relative(t)}
	case "FindBatchRuns":
		return []any{m.anyBatch(t)}
	case "EnvironmentsWithRuns":
		return []any{[2][]string{m.someEnvs(t), m.someEnvs(t)}}
	}
	t.Fatalf("the model does not know what to give %s", method)
	return nil
}

var idempotencyKeys = []string{"k", "l", "none has this"}

func task(t *rapid.T) string { return oneOf(t, "task", "task", "x") }

// idempotency is a run's key with its environment and task, mostly.
func (m *machine) idempotency(t *rapid.T) (env, of, key string) {
	run := m.anyRun(t)
	return run.EnvironmentID, orIts(t, &run.TaskIdentifier, task(t)), orIts(t, run.IdempotencyKey, oneOf(t, "key", idempotencyKeys...))
}

// orIts is what a row has, where it has that, or now and then another.
func orIts(t *rapid.T, its *string, other string) string {
	if its == nil || rarely(t, "another") {
		return other
	}
	return *its
}
