package runstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// large is how many runs the environment of TestAPageReadsNoMoreThanAPage has in
// each table. The 59 others have a fiftieth of that.
const large = 3_000

// A page is read along the index, however few runs Postgres takes an environment or a
// tag to have, and however often it was asked for on the connection: after five
// times Postgres may take a plan that is for all values.
func TestAPageReadsNoMoreThanAPage(t *testing.T) {
	f := newFixture(t)
	for _, table := range runid.Tables() {
		for _, sql := range []string{
			`INSERT INTO ` + table.SQL() + ` (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "projectId", queue, "createdAt", "updatedAt", "runTags", "runtimeEnvironmentId")
				SELECT x, 'run_' || x, 'task', '{}', 't', 's', 'p', 'q', at, at, '{all}', CASE g % 2 WHEN 0 THEN 'env_ours' ELSE 'env_' || g % 59 END
				FROM (SELECT g, '` + f.mint.Mint(table)[:6] + `' || md5(g::text) AS x, timestamp '2026-03-01' + g * interval '1 second' AS at FROM generate_series(1, 2 * 3000) g) r`,
			`ANALYZE ` + table.SQL(),
		} {
			if _, err := f.pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	tx, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	period := runstore.Filter{CreatedFrom: begin.Add(5 * time.Minute), CreatedBefore: begin.Add(95 * time.Minute)}
	for name, q := range map[string]runstore.Query{
		"everything":          {Limit: 100, Order: runstore.NewestFirst},
		"everything, oldest":  {Limit: 100, Order: runstore.OldestFirst},
		"a period":            {Limit: 100, Order: runstore.NewestFirst, Filter: period},
		"a period, oldest":    {Limit: 100, Order: runstore.OldestFirst, Filter: period},
		"from a time on":      {Limit: 100, Order: runstore.NewestFirst, Filter: runstore.Filter{CreatedFrom: period.CreatedFrom}},
		"before a time":       {Limit: 100, Order: runstore.NewestFirst, Filter: runstore.Filter{CreatedBefore: period.CreatedBefore}},
		"a tag that all have": {Limit: 100, Order: runstore.NewestFirst, Filter: runstore.Filter{AllTags: []string{"all"}}},
	} {
		q.EnvironmentID = env
		for n := range 14 { // seven pages forwards, and back
			before := rowsRead(t, tx)
			page, err := f.store.In(tx).FindPage(t.Context(), q)
			if err != nil || len(page.Runs) != 100 {
				t.Fatalf("%s: %d runs, %v", name, len(page.Runs), err)
			}
			// Of each table at most a page, one more, and up to 64 that are sorted with it.
			if rows := rowsRead(t, tx) - before; rows > 2*(100+1+64) {
				t.Errorf("%s: %d rows were read for page %d of 100; the environment has %d", name, rows, n, 2*large)
				break
			}
			if q.After, q.Before = page.Next, ""; n >= 6 && page.Previous != "" {
				q.After, q.Before = "", page.Previous
			}
		}
	}
}

// rowsRead is how many rows this connection has read of the run tables until now.
func rowsRead(t *testing.T, tx pgx.Tx) (rows int) {
	t.Helper()
	err := tx.QueryRow(t.Context(), `SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_user_tables WHERE relname IN ('TaskRun', 'task_run_v2')`).Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Keys are found by their own index in tables of which Postgres knows nothing yet, as
// of a task_run_v2 that is new; also if it was asked while they were empty.
func TestKeysInNewTables(t *testing.T) {
	f := newFixture(t)
	tx, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	keys := []string{"k1", "k2", "k2", "none", "k3"}
	ask := func() (found int) {
		t.Helper()
		for range 7 {
			runs, err := f.store.In(tx).FindByIdempotencyKeys(t.Context(), env, "task", keys)
			if err != nil {
				t.Fatal(err)
			}
			found = len(runs)
		}
		return found
	}
	if n := ask(); n != 0 {
		t.Fatalf("there are %d runs in empty tables", n)
	}
	for _, table := range runid.Tables() {
		_, err := tx.Exec(t.Context(), `INSERT INTO `+table.SQL()+` (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "projectId", queue, "updatedAt", "runtimeEnvironmentId", "idempotencyKey")
			SELECT x, 'run_' || x, 'task', '{}', 't', 's', 'p', 'q', now(), 'env_ours', 'k' || g
			FROM (SELECT g, '`+f.mint.Mint(table)[:6]+`' || md5(g::text) AS x FROM generate_series(1, 2000) g) r`)
		if err != nil {
			t.Fatal(err)
		}
	}
	before := rowsRead(t, tx)
	if n := ask(); n != 6 {
		t.Errorf("of 3 keys in each table %d runs were found", n)
	}
	if rows := rowsRead(t, tx) - before; rows > 7*2*len(keys) {
		t.Errorf("to look for %d keys seven times, %d rows were read; the environment has 4000", len(keys), rows)
	}
}

// What a list is planned with is the list's alone: not of what comes next in the same
// transaction, or on the same connection.
func TestSettingsOfAListEndWithIt(t *testing.T) {
	f := newFixture(t)
	f.create(t, f.newRun(runid.V2))
	config := f.pool.Config()
	config.MaxConns = 1
	given := &givenUp{at: func() {}}
	config.ConnConfig.Tracer = given
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	settings := func(db runstore.DB) (all string) {
		t.Helper()
		err := db.QueryRow(t.Context(), `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings`).Scan(&all)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := settings(pool)
	lists := func(s *runstore.Store, db runstore.DB) {
		t.Helper()
		for _, filter := range []runstore.Filter{{}, {AllTags: []string{"a"}}} {
			if _, err := s.FindPage(t.Context(), runstore.Query{EnvironmentID: env, Filter: filter, Order: runstore.NewestFirst, Limit: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Count(t.Context(), env, filter); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(before), strings.Fields(settings(db))); diff != "" {
				t.Errorf("after lists by %+v: %s", filter, diff)
			}
		}
	}
	lists(store, pool)
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		lists(store.In(tx), tx)
		// Whoever gives up as soon as the list is there has given up on nothing else.
		ctx, cancel := context.WithCancel(t.Context())
		given.at = cancel
		if _, err := store.In(tx).Count(ctx, env, runstore.Filter{}); err != nil || ctx.Err() == nil {
			t.Errorf("a list that is given up when it is there: %v, %v", err, ctx.Err())
		}
		given.at = func() {}
		if diff := cmp.Diff(strings.Fields(before), strings.Fields(settings(tx))); diff != "" {
			t.Errorf("after a list that was given up: %s", diff)
		}
		// A list that fails in the middle ends like others.
		if _, err := store.In(tx).Count(t.Context(), env, runstore.Filter{AllTags: []string{"\x00"}}); err == nil {
			t.Error("a NUL character was asked for")
		}
		if diff := cmp.Diff(strings.Fields(before), strings.Fields(settings(tx))); diff != "" {
			t.Errorf("after a list that failed: %s", diff)
		}
		// Nothing of them is left, which would be more with each.
		_, err := tx.Exec(t.Context(), "RELEASE SAVEPOINT realtime_gw_list")
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "3B001" {
			t.Errorf("a savepoint is left: %v", err)
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}

var errEnough = errors.New("enough")

// givenUp has somebody give up when the answers to several statements are there.
type givenUp struct {
	asked
	at func()
}

func (g *givenUp) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) { g.at() }
