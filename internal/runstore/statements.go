package runstore

import (
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// runStatements are the statements on one run table. Those that change a run
// give it back, changed.
type runStatements struct {
	create, findByID, findByFriendlyID, findRefByFriendlyID, findForUpdate string

	lockToWorker, startAttempt, completeAttemptSuccess, recordRetryOutcome, requeue string
	failPermanently, cancel, expire, finalize, recordBulkAction                     string
	parkPendingVersion, promotePendingVersion, expireParked                         string
	suspend, resume, reschedule, enqueueDelayed, rewriteDebounced                   string
	updateMetadata, pushTags, pushStream, clearKey                                  string
	expireMany, clearKeyByValue, clearKeysByFriendlyID                              string // for sum
}

func newRunStatements(table runid.Table) runStatements {
	columns := columnsOf(reflect.TypeFor[Run]())
	fill := strings.NewReplacer("{table}", "public."+table.SQL(), "{columns}", columns).Replace
	// change is an update of one run of one environment.
	change := func(set string) string {
		return fill(`UPDATE {table} SET "updatedAt" = @now, ` + set + ` WHERE id = @id AND "runtimeEnvironmentId" = @environment RETURNING {columns}`)
	}
	// guarded is a change of a run that waits for a version, and of no other.
	guarded := func(set string) string {
		return fill(`UPDATE {table} SET "updatedAt" = @now, ` + set + ` WHERE id = @id AND "runtimeEnvironmentId" = @environment AND status = 'PENDING_VERSION'`)
	}
	// of gives statements the names of their arguments that hold this table's ids.
	of := strings.NewReplacer("{of}", "_"+table.String()).Replace
	return runStatements{
		create: fill(`
			INSERT INTO {table} (id, "friendlyId", number, engine, status, "runtimeEnvironmentId", "projectId", "organizationId", "environmentType",
				"taskIdentifier", payload, "payloadType", context, "traceContext", "traceId", "spanId", "parentSpanId", "isTest",
				queue, "masterQueue", region, "concurrencyKey", "priorityMs", "queuedAt", "delayUntil", ttl, "maxAttempts",
				"maxDurationInSeconds", "machinePreset", "planType",
				"lockedToVersionId", "taskVersion", "sdkVersion", "cliVersion", "lockedQueueId", "queueTimestamp", debounce,
				"bulkActionGroupIds", "parentTaskRunAttemptId", "scheduleInstanceId", "taskEventStore", "streamBasinName",
				"idempotencyKey", "idempotencyKeyExpiresAt", "idempotencyKeyOptions", "oneTimeUseToken",
				"runTags", "batchId", "rootTaskRunId", "parentTaskRunId", "resumeParentOnCompletion", depth, "scheduleId", "replayedFromTaskRunFriendlyId",
				"seedMetadata", "seedMetadataType", metadata, "metadataType", annotations, "realtimeStreamsVersion", "createdAt", "updatedAt",
				"completedAt", error, "attemptNumber")
			VALUES (@id, @friendlyId, @number, 'V2', @status, @environment, @project, @organization, @environmentType,
				@task, @payload, @payloadType, @context, @traceContext, @traceId, @spanId, @parentSpanId, @isTest,
				@queue, @workerQueue, @region, @concurrencyKey, @priorityMs, @queuedAt, @delayUntil, @ttl, @maxAttempts,
				@maxDuration, @machinePreset, @planType,
				@version, @taskVersion, @sdkVersion, @cliVersion, @lockedQueue, @queueTimestamp, @debounce,
				@bulkActions, @parentAttempt, @scheduleInstanceId, @eventStore, @basin,
				@idempotencyKey, @idempotencyKeyExpiresAt, @idempotencyKeyOptions, @oneTimeUseToken,
				@tags, @batchId, @root, @parent, @resumeParent, @depth, @scheduleId, @replayedFrom,
				@seedMetadata, @seedMetadataType, @metadata, @metadataType, @annotations, @streamsVersion, @created, @now,
				@completedAt, @error, @attempt)
			RETURNING {columns}`),

		findByID: fill(`SELECT {columns} FROM {table} WHERE id = @id AND "runtimeEnvironmentId" = @environment`),

		findByFriendlyID: fill(`SELECT {columns} FROM {table} WHERE "friendlyId" = @friendlyId AND "runtimeEnvironmentId" = @environment`),

		findForUpdate: fill(`SELECT {columns} FROM {table} WHERE id = @id AND "runtimeEnvironmentId" = @environment FOR UPDATE`),

		// The batch a run points to is looked at in the run's environment only.
		findRefByFriendlyID: fill(`
			SELECT r.id, r."friendlyId", r."runtimeEnvironmentId", r."taskIdentifier", r."runTags", r."batchId", b."friendlyId" AS "batchFriendlyId"
			FROM {table} r LEFT JOIN public."BatchTaskRun" b ON b.id = r."batchId" AND b."runtimeEnvironmentId" = r."runtimeEnvironmentId"
			WHERE r."friendlyId" = @friendlyId AND r."runtimeEnvironmentId" = @environment`),

		lockToWorker: change(`status = 'DEQUEUED', "lockedAt" = @lockedAt, "startedAt" = coalesce("startedAt", @lockedAt),
			"lockedById" = @lockedBy, "lockedToVersionId" = @version, "lockedRetryConfig" = coalesce(@retryConfig, "lockedRetryConfig"), "lockedQueueId" = coalesce(@lockedQueue, "lockedQueueId"),
			"taskVersion" = coalesce(@taskVersion, "taskVersion"), "sdkVersion" = coalesce(@sdkVersion, "sdkVersion"),
			"cliVersion" = coalesce(@cliVersion, "cliVersion"), "machinePreset" = coalesce(@machinePreset, "machinePreset"),
			"maxAttempts" = coalesce(@maxAttempts, "maxAttempts"), "maxDurationInSeconds" = coalesce(@maxDuration, "maxDurationInSeconds"),
			"baseCostInCents" = @baseCost`),

		startAttempt: change(`status = 'EXECUTING', "attemptNumber" = @attempt,
			"executedAt" = coalesce(@executedAt, "executedAt"), "isWarmStart" = coalesce(@warm, "isWarmStart")`),

		completeAttemptSuccess: change(`status = 'COMPLETED_SUCCESSFULLY', "completedAt" = @completedAt,
			output = @output, "outputType" = @outputType, "usageDurationMs" = @usage, "costInCents" = @cost`),

		recordRetryOutcome: change(`status = 'RETRYING_AFTER_FAILURE', "machinePreset" = coalesce(@machinePreset, "machinePreset"),
			"usageDurationMs" = @usage, "costInCents" = @cost`),

		requeue: change(`status = 'PENDING'`),

		failPermanently: change(`status = @status, "completedAt" = @completedAt, error = @error, "usageDurationMs" = @usage, "costInCents" = @cost`),

		cancel: change(`status = 'CANCELED', "completedAt" = coalesce(@completedAt, "completedAt"), error = @error,
			"bulkActionGroupIds" = CASE WHEN @bulkAction::text IS NULL THEN "bulkActionGroupIds" ELSE array_append("bulkActionGroupIds", @bulkAction) END,
			"usageDurationMs" = coalesce(@usage, "usageDurationMs"), "costInCents" = coalesce(@cost, "costInCents")`),

		expire: change(`status = 'EXPIRED', "completedAt" = @at, "expiredAt" = @at, error = @error`),

		finalize: change(`status = coalesce(@status::text::public."TaskRunStatus", status), "completedAt" = coalesce(@completedAt, "completedAt"),
			"expiredAt" = coalesce(@expiredAt, "expiredAt"), error = coalesce(@error, error),
			"bulkActionGroupIds" = CASE WHEN @bulkAction::text IS NULL THEN "bulkActionGroupIds" ELSE array_append("bulkActionGroupIds", @bulkAction) END`),

		recordBulkAction: change(`"bulkActionGroupIds" = array_append("bulkActionGroupIds", @bulkAction::text)`),

		parkPendingVersion: change(`status = 'PENDING_VERSION', "statusReason" = @reason`),

		promotePendingVersion: guarded(`status = @status, "lockedToVersionId" = coalesce(@version, "lockedToVersionId"),
			"taskVersion" = coalesce(@taskVersion, "taskVersion"), "sdkVersion" = coalesce(@sdkVersion, "sdkVersion"),
			"cliVersion" = coalesce(@cliVersion, "cliVersion")`),

		expireParked: guarded(`status = 'EXPIRED', "statusReason" = @reason, "completedAt" = @at, "expiredAt" = @at, error = @error`),

		suspend: change(`status = 'WAITING_TO_RESUME'`),

		resume: change(`status = 'EXECUTING'`),

		reschedule: change(`"delayUntil" = @delayUntil, "queueTimestamp" = coalesce(@queueTimestamp, "queueTimestamp")`),

		enqueueDelayed: change(`status = 'PENDING', "queuedAt" = @queuedAt`),

		rewriteDebounced: change(`payload = @payload, "payloadType" = @payloadType, metadata = coalesce(@metadata, metadata),
			"metadataType" = coalesce(@metadataType, "metadataType"), "maxAttempts" = coalesce(@maxAttempts, "maxAttempts"),
			"maxDurationInSeconds" = coalesce(@maxDuration, "maxDurationInSeconds"), "machinePreset" = coalesce(@machinePreset, "machinePreset"),
			"runTags" = coalesce(@tags::text[], "runTags")`),

		expireMany: of(fill(`
			UPDATE {table} r SET "updatedAt" = @now, status = 'EXPIRED', "completedAt" = @at, "expiredAt" = @at, error = @error
			FROM unnest(@ids{of}::text[], @environments{of}::text[]) k (id, environment)
			WHERE r.id = k.id AND r."runtimeEnvironmentId" = k.environment RETURNING r.id`)),

		clearKey: fill(`
			UPDATE {table} SET "updatedAt" = @now, "idempotencyKey" = NULL, "idempotencyKeyExpiresAt" = NULL
			WHERE id = @id AND "runtimeEnvironmentId" = @environment AND "idempotencyKey" = @key`),

		clearKeyByValue: fill(`
			UPDATE {table} SET "updatedAt" = @now, "idempotencyKey" = NULL, "idempotencyKeyExpiresAt" = NULL
			WHERE "runtimeEnvironmentId" = @environment AND "taskIdentifier" = @task AND "idempotencyKey" = @key RETURNING id`),

		// The time of expiry stays, as it does on the platform.
		clearKeysByFriendlyID: of(fill(`
			UPDATE {table} SET "updatedAt" = @now, "idempotencyKey" = NULL
			WHERE "friendlyId" = ANY(@ids{of}::text[]) AND "runtimeEnvironmentId" = @environment RETURNING id`)),

		pushStream: change(`"realtimeStreams" = array_append("realtimeStreams", @stream::text)`),

		// The version is compared on the locked row, as an UPDATE's WHERE would be,
		// and the row is returned in any case: a run that is not there and a run
		// that was faster are different answers, in one statement.
		updateMetadata: fill(`
			WITH it AS (
				SELECT id, @expected::int IS NULL OR "metadataVersion" = @expected AS won FROM {table}
				WHERE id = @id AND "runtimeEnvironmentId" = @environment FOR UPDATE
			), done AS (
				UPDATE {table} r SET "updatedAt" = @now, metadata = @metadata, "metadataType" = coalesce(@metadataType, "metadataType"),
					"metadataVersion" = "metadataVersion" + 1
				FROM it WHERE r.id = it.id AND it.won
			)
			SELECT won FROM it`),

		pushTags: fill(`
			UPDATE {table} SET "updatedAt" = @now, "runTags" = coalesce("runTags", '{}') || @tags::text[]
			WHERE id = @id AND "runtimeEnvironmentId" = @environment RETURNING "updatedAt"`),
	}
}

// batchStatements are those on "BatchTaskRun".
type batchStatements struct {
	create, seal, complete, findByFriendlyID, findByIdempotencyKey string
}

func newBatchStatements() batchStatements {
	fill := strings.NewReplacer("{columns}", columnsOf(reflect.TypeFor[Batch]())).Replace
	return batchStatements{
		create: fill(`
			INSERT INTO public."BatchTaskRun" (id, "friendlyId", "runtimeEnvironmentId", "createdAt", "updatedAt", "runIds", "runCount", "expectedCount",
				"idempotencyKey", "oneTimeUseToken", options, "batchVersion", sealed, "sealedAt")
			VALUES (@id, @friendlyId, @environment, @created, @now, @runIds, @runCount, @runCount, @idempotencyKey, @oneTimeUseToken, @options, 'runengine:v2', @sealed, CASE WHEN @sealed THEN @now::timestamp END)
			RETURNING {columns}`),
		complete: fill(`
			UPDATE public."BatchTaskRun" SET "updatedAt" = @now, "completedAt" = @now, status = @status,
				"successfulRunCount" = @successful, "failedRunCount" = @failed, "completedCount" = @successful::int + @failed::int
			WHERE id = @id AND "runtimeEnvironmentId" = @environment RETURNING {columns}`),
		seal: fill(`
			UPDATE public."BatchTaskRun" SET "updatedAt" = @now, "runIds" = @runIds, sealed = true, "sealedAt" = @now
			WHERE id = @id AND "runtimeEnvironmentId" = @environment AND NOT sealed RETURNING {columns}`),
		findByIdempotencyKey: fill(`
			SELECT {columns} FROM public."BatchTaskRun" WHERE "idempotencyKey" = @key AND "runtimeEnvironmentId" = @environment`),
		findByFriendlyID: fill(`
			SELECT {columns} FROM public."BatchTaskRun" WHERE "friendlyId" = @friendlyId AND "runtimeEnvironmentId" = @environment`),
	}
}

// columnsOf lists the columns that a struct's tags name.
func columnsOf(row reflect.Type) string {
	return columnsWithout(row, func(string) bool { return false })
}

func columnsWithout(row reflect.Type, without func(column string) bool) string {
	var names []string
	for i := range row.NumField() {
		if name := row.Field(i).Tag.Get("db"); !without(name) {
			names = append(names, pgx.Identifier{name}.Sanitize())
		}
	}
	return strings.Join(names, ", ")
}
