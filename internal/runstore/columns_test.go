package runstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// columns are where the fields of a NewRun are kept.
var columns = map[string]string{
	"ID": "id", "FriendlyID": "friendlyId", "EnvironmentID": "runtimeEnvironmentId", "ProjectID": "projectId", "OrganizationID": "organizationId",
	"EnvironmentType": "environmentType", "Number": "number", "TaskIdentifier": "taskIdentifier", "Payload": "payload", "PayloadType": "payloadType",
	"Context": "context", "TraceContext": "traceContext", "TraceID": "traceId", "SpanID": "spanId", "ParentSpanID": "parentSpanId", "IsTest": "isTest",
	"Status": "status", "LockedToVersionID": "lockedToVersionId", "TaskVersion": "taskVersion", "SDKVersion": "sdkVersion", "CLIVersion": "cliVersion",
	"Queue": "queue", "LockedQueueID": "lockedQueueId", "WorkerQueue": "masterQueue", "Region": "region", "ConcurrencyKey": "concurrencyKey",
	"PriorityMs": "priorityMs", "QueueTimestamp": "queueTimestamp", "QueuedAt": "queuedAt", "DelayUntil": "delayUntil", "TTL": "ttl",
	"MaxAttempts": "maxAttempts", "MaxDurationInSeconds": "maxDurationInSeconds", "MachinePreset": "machinePreset", "PlanType": "planType",
	"IdempotencyKey": "idempotencyKey", "IdempotencyKeyExpiresAt": "idempotencyKeyExpiresAt", "IdempotencyKeyOptions": "idempotencyKeyOptions",
	"OneTimeUseToken": "oneTimeUseToken", "Debounce": "debounce", "Tags": "runTags", "BulkActionGroupIDs": "bulkActionGroupIds", "BatchID": "batchId",
	"RootRunID": "rootTaskRunId", "ParentRunID": "parentTaskRunId", "ParentAttemptID": "parentTaskRunAttemptId",
	"ResumeParentOnCompletion": "resumeParentOnCompletion", "Depth": "depth", "ScheduleID": "scheduleId", "ScheduleInstanceID": "scheduleInstanceId",
	"ReplayedFromFriendlyID": "replayedFromTaskRunFriendlyId", "Metadata": "metadata", "MetadataType": "metadataType",
	"SeedMetadata": "seedMetadata", "SeedMetadataType": "seedMetadataType", "Annotations": "annotations", "TaskEventStore": "taskEventStore",
	"RealtimeStreamsVersion": "realtimeStreamsVersion", "StreamBasinName": "streamBasinName", "CreatedAt": "createdAt",
}

// neverNew are the columns that no new run has a say in, with why.
var neverNew = map[string]string{
	"engine": "always V2", "updatedAt": "the store's clock", "metadataVersion": "begins at 1",
	"attemptNumber": "of a canceled run only, and then 0", "completedAt": "an Ending's", "error": "an Ending's",
	"statusReason": "parking's", "startedAt": "a worker's", "executedAt": "a worker's", "lockedAt": "a worker's", "lockedById": "a worker's",
	"lockedRetryConfig": "a worker's", "isWarmStart": "a worker's", "usageDurationMs": "a worker's", "costInCents": "a worker's", "baseCostInCents": "a worker's",
	"output": "a worker's", "outputType": "a worker's", "realtimeStreams": "a running run's", "expiredAt": "an expiry's", "logsDeletedAt": "a clean-up's",
	"secondaryMasterQueue": "written by nobody any more", "runChainState": "of engine V1",
}

// everything gives each field of a NewRun a value of its own, and what a row has then.
func everything(t *testing.T, id string) (r runstore.NewRun, row map[string]any) {
	t.Helper()
	row = map[string]any{}
	fields := reflect.ValueOf(&r).Elem()
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		text, number := fmt.Sprint(name, " of ", id), int32(i+2)
		moment := time.Date(2026, 2, 1, 12, 0, i, 0, time.UTC)
		var value, kept any
		switch name {
		case "ID":
			value, kept = id, id
		case "Status":
			value, kept = runstore.Delayed, "DELAYED"
		case "EnvironmentType":
			value, kept = "PREVIEW", "PREVIEW"
		default:
			switch fields.Field(i).Interface().(type) {
			case string:
				value, kept = text, text
			case *string:
				value, kept = &text, text
			case int32:
				value, kept = number, float64(number)
			case *int32:
				value, kept = &number, float64(number)
			case bool:
				value, kept = true, true
			case []string:
				value, kept = []string{text, "b"}, []any{text, "b"}
			case json.RawMessage:
				value, kept = json.RawMessage(`{"of": "`+name+`"}`), map[string]any{"of": name}
			case time.Time:
				value, kept = moment, moment.Format("2006-01-02T15:04:05")
			case *time.Time:
				value, kept = &moment, moment.Format("2006-01-02T15:04:05")
			default:
				t.Fatalf("the test knows no value for NewRun.%s", name)
			}
		}
		column, ok := columns[name]
		if !ok {
			t.Fatalf("the test does not know in which column NewRun.%s is kept", name)
		}
		fields.Field(i).Set(reflect.ValueOf(value))
		row[column] = kept
	}
	return r, row
}

// rowOf reads a row as it is, past the store.
func (f fixture) rowOf(t *testing.T, table runid.Table, id string) (row map[string]any) {
	t.Helper()
	if err := f.pool.QueryRow(t.Context(), "SELECT to_jsonb(r) FROM "+table.SQL()+" r WHERE id = $1", id).Scan(&row); err != nil {
		t.Fatal(err)
	}
	return row
}

// Every field of a NewRun is written, to its own column, by each way to make a run; and
// every column is some field's, or is known not to be.
func TestCreateWritesEveryField(t *testing.T) {
	f := newFixture(t)
	ended := time.Date(2026, 2, 2, 1, 2, 3, 0, time.UTC)
	for name, way := range map[string]struct {
		create func(*runstore.Store, context.Context, runstore.NewRun) (runstore.Run, error)
		ending map[string]any
	}{
		"Create": {func(s *runstore.Store, ctx context.Context, r runstore.NewRun) (runstore.Run, error) {
			return s.Create(ctx, r)
		},
			map[string]any{"completedAt": nil, "error": nil, "attemptNumber": nil}},
		"CreateCancelled": {func(s *runstore.Store, ctx context.Context, r runstore.NewRun) (runstore.Run, error) {
			return s.CreateCancelled(ctx, r, runstore.Ending{CompletedAt: ended, Error: runstore.StringError("c")})
		}, map[string]any{
			"status": "CANCELED", "completedAt": "2026-02-02T01:02:03", "error": map[string]any{"type": "STRING_ERROR", "raw": "c"}, "attemptNumber": 0.0,
		}},
		"CreateFailed": {func(s *runstore.Store, ctx context.Context, r runstore.NewRun) (runstore.Run, error) {
			return s.CreateFailed(ctx, r, runstore.Ending{CompletedAt: ended, Error: runstore.StringError("f")})
		}, map[string]any{
			"status": "SYSTEM_FAILURE", "completedAt": "2026-02-02T01:02:03", "error": map[string]any{"type": "STRING_ERROR", "raw": "f"}, "attemptNumber": nil,
		}},
	} {
		for _, table := range runid.Tables() {
			t.Run(name+"/"+table.String(), func(t *testing.T) {
				r, want := everything(t, f.mint.Mint(table))
				run, err := way.create(f.store, t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				maps.Copy(want, way.ending)
				got := f.rowOf(t, table, r.ID)
				for column, value := range want {
					if diff := cmp.Diff(value, got[column]); diff != "" {
						t.Errorf("%s: %s", column, diff)
					}
				}
				for column := range got {
					if _, written := want[column]; !written && neverNew[column] == "" {
						t.Errorf("the column %s is no field's of a NewRun", column)
					}
				}
				// What the store gives back is the row, as it reads it again.
				again, err := f.store.FindByID(t.Context(), runstore.Key{EnvironmentID: r.EnvironmentID, ID: r.ID})
				if diff := cmp.Diff(run, again); err != nil || diff != "" {
					t.Error(err, diff)
				}
			})
		}
	}
}

// No value of everything is what a row has anyway, so that a field that is not written
// is seen.
func TestEverythingIsUnlikeTheDefaults(t *testing.T) {
	f := newFixture(t)
	for _, table := range runid.Tables() {
		plain := f.rowOf(t, table, f.create(t, f.newRun(table)).ID)
		_, row := everything(t, f.mint.Mint(table))
		for column, value := range row {
			if cmp.Equal(plain[column], value) {
				t.Errorf("%s: a run with everything has %v there, as any", column, value)
			}
		}
	}
}
