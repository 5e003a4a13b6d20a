package runstore

// Status is where a run is in its life, as the database spells it. Clients see
// other names for some.
type Status string

// The statuses of a run that goes on.
const (
	Delayed              Status = "DELAYED"
	Pending              Status = "PENDING"
	PendingVersion       Status = "PENDING_VERSION"
	WaitingForDeploy     Status = "WAITING_FOR_DEPLOY"
	Dequeued             Status = "DEQUEUED"
	Executing            Status = "EXECUTING"
	WaitingToResume      Status = "WAITING_TO_RESUME"
	RetryingAfterFailure Status = "RETRYING_AFTER_FAILURE"
	Paused               Status = "PAUSED"
)

// The statuses of a run that is over. None is followed by another.
const (
	Canceled              Status = "CANCELED"
	Interrupted           Status = "INTERRUPTED"
	CompletedSuccessfully Status = "COMPLETED_SUCCESSFULLY"
	CompletedWithErrors   Status = "COMPLETED_WITH_ERRORS"
	SystemFailure         Status = "SYSTEM_FAILURE"
	Crashed               Status = "CRASHED"
	Expired               Status = "EXPIRED"
	TimedOut              Status = "TIMED_OUT"
)

// known says that the database has the status.
func (s Status) known() bool {
	switch s {
	case Delayed, Pending, PendingVersion, WaitingForDeploy, Dequeued, Executing, WaitingToResume, RetryingAfterFailure, Paused:
		return true
	}
	return s.Final()
}

// Final says that the run is over.
func (s Status) Final() bool {
	switch s {
	case Canceled, Interrupted, CompletedSuccessfully, CompletedWithErrors, SystemFailure, Crashed, Expired, TimedOut:
		return true
	}
	return false
}

// Failed says that the run is over and did not succeed, other than by being
// canceled.
func (s Status) Failed() bool {
	return s.Final() && s != CompletedSuccessfully && s != Canceled
}

// BatchStatus is where a batch is in its life.
type BatchStatus string

// The statuses of a batch.
const (
	BatchPending       BatchStatus = "PENDING"
	BatchProcessing    BatchStatus = "PROCESSING"
	BatchCompleted     BatchStatus = "COMPLETED"
	BatchPartialFailed BatchStatus = "PARTIAL_FAILED"
	BatchAborted       BatchStatus = "ABORTED"
)
