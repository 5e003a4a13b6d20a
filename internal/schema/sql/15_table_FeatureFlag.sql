CREATE TABLE "FeatureFlag" (
  "id"    text PRIMARY KEY,
  "key"   text NOT NULL,
  "value" jsonb
);
CREATE UNIQUE INDEX "FeatureFlag_key_key" ON "FeatureFlag" ("key");
