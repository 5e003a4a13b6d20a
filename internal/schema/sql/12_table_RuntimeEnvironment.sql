-- "apiKey" is the root secret key, tr_<dev|stg|prod|preview>_..., and the secret
-- that signs public tokens. "pkApiKey" is of an older kind that nothing accepts.
-- A branch of a preview environment is a row of its own, below its parent.
CREATE TABLE "RuntimeEnvironment" (
  "id"                      text PRIMARY KEY,
  "slug"                    text NOT NULL,
  "apiKey"                  text NOT NULL,
  "pkApiKey"                text NOT NULL,
  "type"                    "RuntimeEnvironmentType" NOT NULL DEFAULT 'DEVELOPMENT',
  "shortcode"               text NOT NULL,
  "branchName"              text,
  "isBranchableEnvironment" boolean NOT NULL DEFAULT false,
  "parentEnvironmentId"     text REFERENCES "RuntimeEnvironment" ("id") ON UPDATE CASCADE ON DELETE CASCADE,
  "organizationId"          text NOT NULL REFERENCES "Organization" ("id") ON UPDATE CASCADE ON DELETE CASCADE,
  "projectId"               text NOT NULL REFERENCES "Project" ("id") ON UPDATE CASCADE ON DELETE CASCADE,
  "orgMemberId"             text,
  "paused"                  boolean NOT NULL DEFAULT false,
  "maximumConcurrencyLimit" integer NOT NULL DEFAULT 5,
  "createdAt"               timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt"               timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "archivedAt"              timestamp(3)
);
CREATE UNIQUE INDEX "RuntimeEnvironment_apiKey_key" ON "RuntimeEnvironment" ("apiKey");
CREATE UNIQUE INDEX "RuntimeEnvironment_pkApiKey_key" ON "RuntimeEnvironment" ("pkApiKey");
CREATE INDEX "RuntimeEnvironment_parentEnvironmentId_idx" ON "RuntimeEnvironment" ("parentEnvironmentId");
CREATE INDEX "RuntimeEnvironment_projectId_idx" ON "RuntimeEnvironment" ("projectId");
CREATE INDEX "RuntimeEnvironment_organizationId_idx" ON "RuntimeEnvironment" ("organizationId");
