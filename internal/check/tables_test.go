package check_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/check"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

const database = "DATABASE_URL"

// What is wrong with the tables is found, nothing else is, and the printed SQL
// makes all of it green.
func TestTables(t *testing.T) {
	for name, c := range map[string]struct {
		breaks string
		want   []found
	}{
		"nothing": {"SELECT", nil},
		"old rows of v2": {`ALTER TABLE task_run_v2 REPLICA IDENTITY DEFAULT`, []found{
			{check.Error, database, "table public.task_run_v2 does not log old rows", "ALTER TABLE public.task_run_v2 REPLICA IDENTITY FULL"},
		}},
		"old rows of both": {`ALTER TABLE task_run_v2 REPLICA IDENTITY NOTHING; ALTER TABLE "TaskRun" REPLICA IDENTITY DEFAULT`, []found{
			{check.Error, database, `table public."TaskRun" does not log old rows`, `ALTER TABLE public."TaskRun" REPLICA IDENTITY FULL`},
			{check.Error, database, "table public.task_run_v2 does not log old rows", ""},
		}},
		"made with LIKE": {`DROP TABLE task_run_v2; CREATE TABLE task_run_v2 (LIKE "TaskRun")`, []found{
			{check.Warning, database, `have one dimension, as after CREATE TABLE ... LIKE; the gateway reads them as if it did: "runTags", "realtimeStreams"`,
				`ALTER TABLE public.task_run_v2 ALTER COLUMN "runTags" TYPE text[], ALTER COLUMN "realtimeStreams" TYPE text[]`},
			{check.Error, database, "its primary key is not id", "ALTER TABLE public.task_run_v2 ADD PRIMARY KEY (id)"},
			{check.Warning, database, `no index begins with "friendlyId"`, `CREATE UNIQUE INDEX CONCURRENTLY ON public.task_run_v2 ("friendlyId")`},
			// LIKE leaves out the defaults, which no reader needs.
			{check.Error, database, "does not log old rows", ""},
		}},
		"columns missing": {`ALTER TABLE task_run_v2 DROP COLUMN "isTest", DROP COLUMN "realtimeStreams"`, []found{
			{check.Error, database, `table public.task_run_v2: columns are missing: "isTest", "realtimeStreams"`,
				`ALTER TABLE public.task_run_v2 ADD COLUMN "isTest" boolean DEFAULT false NOT NULL, ADD COLUMN "realtimeStreams" text[] DEFAULT ARRAY[]::text[]`},
		}},
		"a column renamed": {`ALTER TABLE "TaskRun" RENAME COLUMN ttl TO "timeToLive"`, []found{
			{check.Error, database, `table public."TaskRun": columns are missing: "ttl"`, `ALTER TABLE public."TaskRun" ADD COLUMN "ttl" text`},
		}},
		"types that no client reads": {`ALTER TABLE task_run_v2 ALTER COLUMN number TYPE bigint, ALTER COLUMN "createdAt" TYPE timestamptz, ALTER COLUMN "costInCents" TYPE numeric`, []found{
			{check.Error, database, `columns have a type that clients cannot read: "createdAt", "number", "costInCents"`,
				`ALTER TABLE public.task_run_v2 ALTER COLUMN "createdAt" TYPE timestamp(3) without time zone USING "createdAt"::timestamp(3) without time zone, ` +
					`ALTER COLUMN "number" TYPE integer USING "number"::integer, ALTER COLUMN "costInCents" TYPE double precision USING "costInCents"::double precision`},
		}},
		"such types in both": {`ALTER TABLE task_run_v2 ALTER COLUMN number TYPE bigint; ALTER TABLE "TaskRun" ALTER COLUMN number TYPE bigint`, []found{
			{check.Error, database, `table public."TaskRun": columns have a type that clients cannot read: "number"`, `ALTER TABLE public."TaskRun" ALTER COLUMN "number" TYPE integer USING "number"::integer`},
			{check.Error, database, `table public.task_run_v2: columns have a type that clients cannot read: "number"`, ""},
		}},
		"types that differ": {`ALTER TABLE task_run_v2 ALTER COLUMN "createdAt" TYPE timestamp, ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE text`, []found{
			{check.Error, database, `table public.task_run_v2: columns have another type than in public."TaskRun", so that feeds of both are a 500: "createdAt", "status"`,
				`ALTER TABLE public.task_run_v2 ALTER COLUMN "createdAt" TYPE timestamp(3) without time zone USING "createdAt"::text::timestamp(3) without time zone, ` +
					`ALTER COLUMN "status" TYPE "TaskRunStatus" USING "status"::text::"TaskRunStatus"`},
		}},
		"may be null": {`ALTER TABLE task_run_v2 ALTER COLUMN "costInCents" DROP NOT NULL`, []found{
			{check.Warning, database, `columns may be null, and a row in which one is ends its readers: "costInCents"`, `ALTER TABLE public.task_run_v2 ALTER COLUMN "costInCents" SET NOT NULL`},
		}},
		"null in one": {`ALTER TABLE task_run_v2 ALTER COLUMN payload DROP NOT NULL, ALTER COLUMN ttl SET NOT NULL`, []found{
			{check.Warning, database, `in one of the two run tables and not in the other: "ttl", "payload"`, `ALTER TABLE public.task_run_v2 ALTER COLUMN "ttl" DROP NOT NULL, ALTER COLUMN "payload" SET NOT NULL`},
		}},
		"two dimensions": {`ALTER TABLE "TaskRun" ALTER COLUMN "runTags" TYPE text[][]`, []found{
			{check.Warning, database, `"runTags"`, `ALTER TABLE public."TaskRun" ALTER COLUMN "runTags" TYPE text[]`},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t)
			conn := connect(t, url)
			run(t, conn, c.breaks)
			config := check.Config{DatabaseURL: url}
			lines := look(t, config)
			expect(t, lines, c.want...)
			mend(t, conn, lines)
			green(t, look(t, config))
		})
	}
}

// A table that is not there is made by realtime-gw migrate.
func TestMissingTables(t *testing.T) {
	url := pgtest.Database(t)
	conn := connect(t, url)
	run(t, conn, `DROP TABLE task_run_v2, "RevokedApiKey", api_keys, "BatchTaskRun"`)
	lines := look(t, check.Config{DatabaseURL: url})
	expect(t, lines,
		found{check.Error, database, "there is no table public.task_run_v2", "realtime-gw migrate -- or the platform's own migrations, where these are its tables"},
		found{check.Error, database, `there is no table public."BatchTaskRun"`, ""},
		found{check.Error, database, `there is no table "RevokedApiKey"`, ""},
		found{check.Warning, database, "there is no table api_keys: keys with scopes", ""})
	if _, err := schema.Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	green(t, look(t, check.Config{DatabaseURL: url}))

	run(t, conn, `ALTER TABLE "RuntimeEnvironment" DROP COLUMN "branchName"; ALTER TABLE task_run_v2 RENAME TO runs; CREATE VIEW task_run_v2 AS SELECT * FROM runs`)
	expect(t, look(t, check.Config{DatabaseURL: url}),
		found{check.Error, database, `table "RuntimeEnvironment" has no "branchName"`, `upgrade the platform to a version whose "RuntimeEnvironment" has them`},
		found{check.Error, database, "public.task_run_v2 is not a table", ""})
}

// What a user may not read is found, and what is granted then is all that the
// gateway itself reads: so the list of tables and columns is complete.
func TestRights(t *testing.T) {
	url := pgtest.Database(t)
	conn := connect(t, url)
	demo, err := schema.SeedDemo(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	name, as := role(t, conn, url)
	lines := look(t, check.Config{DatabaseURL: as})
	for _, table := range []string{`public."TaskRun"`, "public.task_run_v2", `public."BatchTaskRun"`, `"RuntimeEnvironment"`, `"Project"`, `"RevokedApiKey"`, "api_keys"} {
		at := false
		for _, l := range faults(lines) {
			at = at || l.Level == check.Error && l.Mend == "GRANT SELECT ON "+table+" TO "+name
		}
		if !at {
			t.Errorf("not found: %s cannot be read", table)
		}
	}
	if got := faults(lines); len(got) != 7 {
		t.Errorf("%d faults: %v", len(got), got)
	}
	// The columns that are named, and no more than these.
	for _, l := range faults(lines) {
		_, rest, _ := strings.Cut(l.Says, "may not read ")
		columns, table, _ := strings.Cut(rest, " of table ")
		run(t, conn, "GRANT SELECT ("+columns+") ON "+table+" TO "+name)
	}
	green(t, look(t, check.Config{DatabaseURL: as}))

	pool, err := pgxpool.New(t.Context(), as)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	directory := auth.NewPostgresDirectory(pool)
	if _, err := directory.EnvironmentByID(t.Context(), demo.EnvironmentID); err != nil {
		t.Error(err)
	}
	if _, err := directory.EnvironmentByKey(t.Context(), auth.Key(demo.APIKey)); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		second(directory.EnvironmentByKey(t.Context(), auth.Key("tr_dev_sk_"+strings.Repeat("a", 24)))),
		second(directory.BranchEnvironment(t.Context(), demo.EnvironmentID, "branch")),
	} {
		if !errors.Is(err, auth.ErrUnknown) {
			t.Errorf("looking for what is not there: %v", err)
		}
	}
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	mint := runid.NewMinter(runid.MinterConfig{})
	for _, table := range runid.Tables() {
		id, err := runid.ParseRun("run_" + mint.Mint(table))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.FindRefByFriendlyID(t.Context(), demo.EnvironmentID, id); !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("looking for a run that is not there: %v", err)
		}
	}
	batch, err := runid.ParseBatch("batch_" + mint.Mint(runid.Legacy))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindBatchByFriendlyID(t.Context(), demo.EnvironmentID, batch); !errors.Is(err, runstore.ErrNotFound) {
		t.Errorf("looking for a batch that is not there: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
