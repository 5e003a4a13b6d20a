package auth

// The platform's times have no zone and mean UTC, which is how the driver reads
// them. Nothing is compared with the database's clock: what expires is returned
// with its time, because the answer may be remembered beyond it.

const environmentColumns = `e."id", e."organizationId", e."projectId", e."type"::text, project."deletedAt" IS NOT NULL`

// An archived environment is found: the platform refuses its tokens and its key
// no more than others. Only as a branch it cannot be named any longer.
const selectByID = `
SELECT ` + environmentColumns + `, e."apiKey", coalesce(parent."apiKey", e."apiKey"), revoked.keys, revoked.until
FROM "RuntimeEnvironment" e
JOIN "Project" project ON project."id" = e."projectId"
LEFT JOIN "RuntimeEnvironment" parent ON parent."id" = e."parentEnvironmentId"
CROSS JOIN LATERAL (
	SELECT array_agg(r."apiKey" ORDER BY r."expiresAt" DESC, r."id") AS keys,
	       array_agg(r."expiresAt" ORDER BY r."expiresAt" DESC, r."id") AS until
	FROM (
		SELECT "id", "apiKey", "expiresAt" FROM "RevokedApiKey"
		WHERE "runtimeEnvironmentId" = coalesce(parent."id", e."id")
		ORDER BY "expiresAt" DESC, "id" LIMIT 20 -- rows of long ago stay in the table
	) r
) revoked
WHERE e."id" = $1`

// A present key goes before a revoked one, in case a key was put back.
const selectByRootKey = `
SELECT ` + environmentColumns + `, e."apiKey", opens.key, opens.expires
FROM (
	SELECT "id" AS environment, "apiKey" AS key, NULL::timestamp AS expires FROM "RuntimeEnvironment" WHERE "apiKey" = $1
	UNION ALL
	SELECT "runtimeEnvironmentId", "apiKey", "expiresAt" FROM "RevokedApiKey" WHERE "apiKey" = $1
) opens
JOIN "RuntimeEnvironment" e ON e."id" = opens.environment
JOIN "Project" project ON project."id" = e."projectId"
ORDER BY opens.expires DESC NULLS FIRST, e."id" LIMIT 1`

const selectByAdditionalKey = `
SELECT ` + environmentColumns + `, k."scopes", k."expires_at"
FROM api_keys k
JOIN "RuntimeEnvironment" e ON e."id" = k."runtime_environment_id"
JOIN "Project" project ON project."id" = e."projectId"
WHERE k."key_hash" = $1 AND k."revoked_at" IS NULL`

const selectBranch = `
SELECT "id", "organizationId", "projectId", "type"::text FROM "RuntimeEnvironment"
WHERE "parentEnvironmentId" = $1 AND "branchName" = $2 AND "archivedAt" IS NULL
ORDER BY "createdAt" DESC, "id" LIMIT 1`
