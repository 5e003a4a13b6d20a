-- Root keys that were replaced. Until "expiresAt" one still verifies the tokens
-- that it signed.
CREATE TABLE "RevokedApiKey" (
  "id"                   text PRIMARY KEY,
  "apiKey"               text NOT NULL,
  "runtimeEnvironmentId" text NOT NULL REFERENCES "RuntimeEnvironment" ("id") ON UPDATE CASCADE ON DELETE CASCADE,
  "expiresAt"            timestamp(3) NOT NULL,
  "createdAt"            timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "RevokedApiKey_apiKey_idx" ON "RevokedApiKey" ("apiKey");
CREATE INDEX "RevokedApiKey_runtimeEnvironmentId_idx" ON "RevokedApiKey" ("runtimeEnvironmentId");
