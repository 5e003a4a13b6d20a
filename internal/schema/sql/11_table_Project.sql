-- Once "deletedAt" is set, no token of the project's environments is accepted.
CREATE TABLE "Project" (
  "id"             text PRIMARY KEY,
  "slug"           text NOT NULL,
  "name"           text NOT NULL,
  "externalRef"    text NOT NULL,
  "organizationId" text NOT NULL REFERENCES "Organization" ("id") ON UPDATE CASCADE ON DELETE CASCADE,
  "engine"         "RunEngineVersion" NOT NULL DEFAULT 'V1',
  "version"        text NOT NULL DEFAULT 'V3',
  "createdAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "deletedAt"      timestamp(3)
);
CREATE UNIQUE INDEX "Project_slug_key" ON "Project" ("slug");
CREATE UNIQUE INDEX "Project_externalRef_key" ON "Project" ("externalRef");
