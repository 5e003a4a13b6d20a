-- No foreign key leaves this table and none comes in, so that a run's family and
-- its environment are plain values, which may be stale, and either run table can
-- be emptied or followed by itself.
CREATE TABLE "TaskRun" (
  "id"                            text PRIMARY KEY,
  "number"                        integer NOT NULL DEFAULT 0,
  "friendlyId"                    text NOT NULL,
  "engine"                        "RunEngineVersion" NOT NULL DEFAULT 'V1',
  "status"                        "TaskRunStatus" NOT NULL DEFAULT 'PENDING',
  "statusReason"                  text,

  "idempotencyKey"                text,
  "idempotencyKeyExpiresAt"       timestamp(3),
  "idempotencyKeyOptions"         jsonb,
  "debounce"                      jsonb,

  "taskIdentifier"                text NOT NULL,
  "isTest"                        boolean NOT NULL DEFAULT false,
  "payload"                       text NOT NULL,
  "payloadType"                   text NOT NULL DEFAULT 'application/json',
  "context"                       jsonb,
  "traceContext"                  jsonb,
  "traceId"                       text NOT NULL,
  "spanId"                        text NOT NULL,

  "runtimeEnvironmentId"          text NOT NULL,
  "environmentType"               "RuntimeEnvironmentType",
  "projectId"                     text NOT NULL,
  "organizationId"                text,

  "queue"                         text NOT NULL,
  "lockedQueueId"                 text,
  "masterQueue"                   text NOT NULL DEFAULT 'main',
  "region"                        text,
  "secondaryMasterQueue"          text,
  "attemptNumber"                 integer,

  -- "updatedAt" has no default: who writes a row sets it.
  "createdAt"                     timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt"                     timestamp(3) NOT NULL,
  "runTags"                       text[],

  "taskVersion"                   text,
  "sdkVersion"                    text,
  "cliVersion"                    text,
  "startedAt"                     timestamp(3),
  "executedAt"                    timestamp(3),
  "completedAt"                   timestamp(3),
  "machinePreset"                 text,
  "usageDurationMs"               integer NOT NULL DEFAULT 0,
  "costInCents"                   double precision NOT NULL DEFAULT 0,
  "baseCostInCents"               double precision NOT NULL DEFAULT 0,
  "lockedAt"                      timestamp(3),
  "lockedById"                    text,
  "lockedToVersionId"             text,
  "priorityMs"                    integer NOT NULL DEFAULT 0,
  "concurrencyKey"                text,
  "delayUntil"                    timestamp(3),
  "queuedAt"                      timestamp(3),
  "expiredAt"                     timestamp(3),
  "ttl"                           text,
  "maxAttempts"                   integer,
  "lockedRetryConfig"             jsonb,
  "oneTimeUseToken"               text,
  "taskEventStore"                text NOT NULL DEFAULT 'taskEvent',
  "queueTimestamp"                timestamp(3),

  "scheduleInstanceId"            text,
  "scheduleId"                    text,
  "bulkActionGroupIds"            text[] DEFAULT ARRAY[]::text[],
  "logsDeletedAt"                 timestamp(3),
  "replayedFromTaskRunFriendlyId" text,

  "rootTaskRunId"                 text,
  "parentTaskRunId"               text,
  "parentTaskRunAttemptId"        text,
  "batchId"                       text,
  "resumeParentOnCompletion"      boolean NOT NULL DEFAULT false,
  "depth"                         integer NOT NULL DEFAULT 0,
  "parentSpanId"                  text,
  "runChainState"                 jsonb,

  -- "metadataVersion" grows with each change of "metadata": its optimistic lock.
  "seedMetadata"                  text,
  "seedMetadataType"              text NOT NULL DEFAULT 'application/json',
  "metadata"                      text,
  "metadataType"                  text NOT NULL DEFAULT 'application/json',
  "metadataVersion"               integer NOT NULL DEFAULT 1,
  "annotations"                   jsonb,
  "isWarmStart"                   boolean,
  "output"                        text,
  "outputType"                    text NOT NULL DEFAULT 'application/json',
  "error"                         jsonb,
  "planType"                      text,
  "maxDurationInSeconds"          integer,

  "realtimeStreamsVersion"        text NOT NULL DEFAULT 'v1',
  "realtimeStreams"               text[] DEFAULT ARRAY[]::text[],
  "streamBasinName"               text
);
CREATE UNIQUE INDEX "TaskRun_friendlyId_key" ON "TaskRun" ("friendlyId");
CREATE UNIQUE INDEX "TaskRun_oneTimeUseToken_key" ON "TaskRun" ("oneTimeUseToken");
CREATE UNIQUE INDEX "TaskRun_runtimeEnvironmentId_taskIdentifier_idempotencyKey_key"
  ON "TaskRun" ("runtimeEnvironmentId", "taskIdentifier", "idempotencyKey");
CREATE INDEX "TaskRun_parentTaskRunId_idx" ON "TaskRun" ("parentTaskRunId");
CREATE INDEX "TaskRun_spanId_idx" ON "TaskRun" ("spanId");
CREATE INDEX "TaskRun_parentSpanId_idx" ON "TaskRun" ("parentSpanId");
CREATE INDEX "TaskRun_runTags_idx" ON "TaskRun" USING gin ("runTags" array_ops);
CREATE INDEX "TaskRun_runtimeEnvironmentId_batchId_idx" ON "TaskRun" ("runtimeEnvironmentId", "batchId");
CREATE INDEX "TaskRun_runtimeEnvironmentId_createdAt_idx" ON "TaskRun" ("runtimeEnvironmentId", "createdAt" DESC);
CREATE INDEX "TaskRun_createdAt_idx" ON "TaskRun" USING brin ("createdAt");
