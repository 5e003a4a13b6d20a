-- The last three columns were used by the first generation of batches only.
CREATE TABLE "BatchTaskRun" (
  "id"                          text PRIMARY KEY,
  "friendlyId"                  text NOT NULL,
  "idempotencyKey"              text,
  "idempotencyKeyExpiresAt"     timestamp(3),
  "status"                      "BatchTaskRunStatus" NOT NULL DEFAULT 'PENDING',
  "runtimeEnvironmentId"        text NOT NULL,
  "createdAt"                   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt"                   timestamp(3) NOT NULL,
  "runIds"                      text[] DEFAULT ARRAY[]::text[],
  "runCount"                    integer NOT NULL DEFAULT 0,
  "payload"                     text,
  "payloadType"                 text NOT NULL DEFAULT 'application/json',
  "options"                     jsonb,
  "batchVersion"                text NOT NULL DEFAULT 'v1',
  "sealed"                      boolean NOT NULL DEFAULT false,
  "sealedAt"                    timestamp(3),
  "expectedCount"               integer NOT NULL DEFAULT 0,
  "completedCount"              integer NOT NULL DEFAULT 0,
  "completedAt"                 timestamp(3),
  "resumedAt"                   timestamp(3),
  "processingJobsCount"         integer NOT NULL DEFAULT 0,
  "processingJobsExpectedCount" integer NOT NULL DEFAULT 0,
  "oneTimeUseToken"             text,
  "processingStartedAt"         timestamp(3),
  "processingCompletedAt"       timestamp(3),
  "successfulRunCount"          integer,
  "failedRunCount"              integer,
  "taskIdentifier"              text,
  "checkpointEventId"           text,
  "dependentTaskAttemptId"      text
);
CREATE UNIQUE INDEX "BatchTaskRun_friendlyId_key" ON "BatchTaskRun" ("friendlyId");
CREATE UNIQUE INDEX "BatchTaskRun_oneTimeUseToken_key" ON "BatchTaskRun" ("oneTimeUseToken");
CREATE UNIQUE INDEX "BatchTaskRun_checkpointEventId_key" ON "BatchTaskRun" ("checkpointEventId");
CREATE UNIQUE INDEX "BatchTaskRun_runtimeEnvironmentId_idempotencyKey_key"
  ON "BatchTaskRun" ("runtimeEnvironmentId", "idempotencyKey");
