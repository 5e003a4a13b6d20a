-- "featureFlags" overrides the rows of "FeatureFlag" for one organization.
CREATE TABLE "Organization" (
  "id"                        text PRIMARY KEY,
  "slug"                      text NOT NULL,
  "title"                     text NOT NULL,
  "runsEnabled"               boolean NOT NULL DEFAULT true,
  "maximumConcurrencyLimit"   integer NOT NULL DEFAULT 10,
  "apiRateLimiterConfig"      jsonb,
  "realtimeRateLimiterConfig" jsonb,
  "featureFlags"              jsonb,
  "streamBasinName"           text,
  "createdAt"                 timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt"                 timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "deletedAt"                 timestamp(3)
);
CREATE UNIQUE INDEX "Organization_slug_key" ON "Organization" ("slug");
