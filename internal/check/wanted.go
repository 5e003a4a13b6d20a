package check

import (
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// wantedTable is a table that the gateway reads, and what of it.
type wantedTable struct {
	sql     string // as statements write it
	columns []string
	spare   bool // only some keys need it
}

// kind is what clients take a column's values for.
type kind struct {
	word    string
	types   []string // of pg_type.typname, the one of the platform's own table first
	spelled string   // that one in SQL
}

var (
	text   = kind{"a text", []string{"text", "varchar"}, "text"}
	status = kind{"an enumeration or a text", []string{"TaskRunStatus", "text", "varchar"}, `"TaskRunStatus"`}
	moment = kind{"a timestamp without time zone", []string{"timestamp"}, "timestamp(3)"}
	whole  = kind{"an integer", []string{"int4", "int2"}, "integer"}
	number = kind{"a number", []string{"float8", "float4", "int4", "int2"}, "double precision"}
	yes    = kind{"a boolean", []string{"bool"}, "boolean"}
	tree   = kind{"JSON", []string{"jsonb", "json"}, "jsonb"}
	texts  = kind{"an array of texts", []string{"_text", "_varchar"}, "text[]"}
)

// wantedColumn is a column of the run tables.
type wantedColumn struct {
	name   string
	kind   kind
	always bool // clients end at a row in which it is null
}

// fits says whether clients can read a column.
func (w wantedColumn) fits(c columnFacts) bool {
	return slices.Contains(w.kind.types, c.TypeName) || w.kind.word == status.word && c.Enum
}

// runColumns are what subscribers get, and what their feeds are chosen by.
var runColumns = []wantedColumn{
	{"id", text, true}, {"taskIdentifier", text, true}, {"createdAt", moment, true}, {"updatedAt", moment, true},
	{"startedAt", moment, false}, {"delayUntil", moment, false}, {"queuedAt", moment, false}, {"expiredAt", moment, false},
	{"completedAt", moment, false}, {"friendlyId", text, true}, {"number", whole, true}, {"isTest", yes, true},
	{"status", status, true}, {"usageDurationMs", whole, true}, {"costInCents", number, true}, {"baseCostInCents", number, true},
	{"ttl", text, false}, {"payload", text, false}, {"payloadType", text, false}, {"metadata", text, false},
	{"metadataType", text, false}, {"output", text, false}, {"outputType", text, false}, {"runTags", texts, false},
	{"error", tree, false}, {"realtimeStreams", texts, false},
	{"runtimeEnvironmentId", text, true}, {"batchId", text, false},
}

// runTable is a run table as statements write it.
func runTable(t runid.Table) string {
	if t == runid.V2 {
		return "public.task_run_v2"
	}
	return `public."TaskRun"`
}

// wanted lists the tables, the two of the runs first.
func wanted() []wantedTable {
	runs := feeds.Columns()
	for _, c := range runColumns {
		if !slices.Contains(runs, c.name) {
			runs = append(runs, c.name)
		}
	}
	return []wantedTable{
		{sql: runTable(runid.Legacy), columns: runs},
		{sql: runTable(runid.V2), columns: runs},
		{sql: `public."BatchTaskRun"`, columns: []string{
			"id", "friendlyId", "runtimeEnvironmentId", "status", "createdAt", "updatedAt", "completedAt", "runIds", "runCount",
			"batchVersion", "sealed", "sealedAt", "idempotencyKey", "oneTimeUseToken", "options", "successfulRunCount", "failedRunCount",
		}},
		// These are found through the search path, as their statements name them.
		{sql: `"RuntimeEnvironment"`, columns: []string{
			"id", "organizationId", "projectId", "type", "apiKey", "parentEnvironmentId", "branchName", "archivedAt", "createdAt",
		}},
		{sql: `"Project"`, columns: []string{"id", "deletedAt"}},
		{sql: `"RevokedApiKey"`, columns: []string{"id", "apiKey", "runtimeEnvironmentId", "expiresAt"}},
		{sql: "api_keys", spare: true, columns: []string{
			"runtime_environment_id", "key_hash", "scopes", "expires_at", "revoked_at",
		}},
	}
}
