package runstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// benchRows is how many runs each table has, nine of ten in one environment.
// Three at a time were created in the same millisecond. One in a thousand has failed,
// another is of a task of its own, and each has one of a thousand tags. Fifty that follow
// one another are of a batch, and nine of ten are children of the tenth, which is in v2.
const benchRows = 1_000_000

const benchEnv = "env_0"

// benchBatch is the batch of fifty runs of each table, in the middle.
var benchBatch = fmt.Sprint("batch_", benchRows/2/50)

// BenchmarkStore measures reads of many runs, and the other ways to read them
// that were not chosen: each table by itself, and both at the same time on two
// connections.
func BenchmarkStore(b *testing.B) {
	s, asked := benchStore(b)
	ctx := context.Background()
	deep := &place{created: time.UnixMilli(1_750_000_000_000 + benchRows/3/2).UTC(), id: "m"}
	q := Query{EnvironmentID: benchEnv, Order: NewestFirst, Limit: 50}
	both := runid.Tables()
	ids := map[string][]string{}
	var some [2]Run
	for _, t := range runid.Tables() {
		runs := b2(s.benchRead(ctx, q, both[t:t+1], deep))
		some[t] = runs[0]
		for i, run := range runs[:50] {
			ids[t.String()] = append(ids[t.String()], run.ID)
			if i < 25 {
				ids["mixed"] = append(ids["mixed"], run.ID)
			}
		}
	}

	s.benchFinds(b, asked, some)
	s.benchPages(b)
	b.Run("page/in parallel", func(b *testing.B) {
		compare(b, map[string]func(){
			"merged": func() { b2(s.benchRead(ctx, q, both[:], deep)) },
			"par":    func() { b2(s.benchParallel(ctx, q, deep)) },
		})
	})
	s.benchFilters(b)
	list := func(of string) Query { return Query{EnvironmentID: benchEnv, Filter: Filter{IDs: ids[of]}} }
	b.Run("50 ids", func(b *testing.B) {
		compare(b, map[string]func(){
			"v2":     func() { b2(s.FindMany(ctx, list("v2"))) },
			"merged": func() { b2(s.FindMany(ctx, list("mixed"))) },
			"par":    func() { b2(s.benchParallel(ctx, list("mixed"), nil)) },
		})
	})
	b.Run("count/a day", func(b *testing.B) {
		from := time.UnixMilli(1_750_000_000_000).UTC()
		for b.Loop() {
			b1(s.Count(ctx, benchEnv, Filter{CreatedFrom: from, CreatedBefore: from.Add(time.Second)}))
		}
	})
}

// compare does each thing in turn, so that whatever else the machine does falls
// on all alike, and reports the median of each in microseconds. It gives all the
// times, those of a round at the same place.
func compare(b *testing.B, things map[string]func()) map[string][]time.Duration {
	return compareWhile(b, b.Loop, things)
}

func compareWhile(b *testing.B, again func() bool, things map[string]func()) map[string][]time.Duration {
	took := map[string][]time.Duration{}
	for again() {
		for name, do := range things {
			start := time.Now()
			do()
			took[name] = append(took[name], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op") // of all together, which is nothing
	for name, times := range took {
		b.ReportMetric(float64(median(times).Nanoseconds())/1000, name+"-µs")
	}
	return took
}

func median[T cmp.Ordered](of []T) T { return slices.Sorted(slices.Values(of))[len(of)/2] }

// benchRead is FindPage's read, from some tables.
func (s *Store) benchRead(ctx context.Context, q Query, tables []runid.Table, at *place) ([]Run, error) {
	limit := 0
	if q.Limit > 0 {
		limit = q.Limit + 1
	}
	return s.selectFrom(ctx, q, tables, at, limit)
}

// benchParallel asks each table on a connection of its own, and merges.
func (s *Store) benchParallel(ctx context.Context, q Query, at *place) ([]Run, error) {
	var of [2][]Run
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range runid.Tables() {
		group.Go(func() (err error) {
			of[t], err = s.benchRead(ctx, q, []runid.Table{t}, at)
			return err
		})
	}
	err := group.Wait()
	runs := slices.Concat(of[0], of[1])
	if q.Limit > 0 {
		slices.SortFunc(runs, func(a, b Run) int { return -oldestFirst(a, b) })
		runs = runs[:q.Limit+1]
	}
	return runs, err
}

// explain logs how Postgres answers.
func (s *Store) explain(ctx context.Context, b *testing.B, q Query, tables []runid.Table, at *place) {
	named := pgx.NamedArgs{}
	sql, args, err := named.RewriteQuery(ctx, nil, q.sql("*", tables, at, q.Limit+1, named), nil)
	if err != nil {
		b.Fatal(err)
	}
	var places []string
	for i := range args {
		places = append(places, "$"+strconv.Itoa(i+1))
	}
	// A statement that is prepared, as those of the store are: else it would be planned for
	// these values, whatever the settings say.
	err = pgx.BeginFunc(ctx, s.primary, func(tx pgx.Tx) error {
		for _, sql := range []string{string(q.planning(q.Limit + 1)), "PREPARE explained AS " + sql} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		execute := "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE explained (" + strings.Join(places, ", ") + ")"
		rows, err := tx.Query(ctx, execute, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		b.Log("\n" + strings.Join(lines, "\n"))
		return errors.Join(err, deallocated(ctx, tx))
	})
	if err != nil {
		b.Fatal(err)
	}
}

func deallocated(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "DEALLOCATE explained")
	return err
}

func benchStore(b *testing.B) (*Store, *benchAsked) {
	config, err := pgxpool.ParseConfig(pgtest.Database(b))
	if err != nil {
		b.Fatal(err)
	}
	asked := &benchAsked{}
	config.ConnConfig.Tracer = asked
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	exec := func(sql string, args ...any) {
		if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
			b.Fatal(err)
		}
	}
	for _, t := range runid.Tables() {
		table := t.SQL()
		// Indexes are made faster at once than row by row.
		rows, err := pool.Query(context.Background(), `SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1::regclass AND NOT indisprimary`, table)
		if err != nil {
			b.Fatal(err)
		}
		indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, SQL string }])
		if err != nil {
			b.Fatal(err)
		}
		for _, index := range indexes {
			exec("DROP INDEX " + index.Name)
		}
		exec(`INSERT INTO `+table+` (id, "friendlyId", "taskIdentifier", status, payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "runTags", "createdAt", "updatedAt", "batchId", "parentTaskRunId")
			SELECT id, 'run_' || id, CASE g % 1000 WHEN 8 THEN 'rare' ELSE 'task' END,
				(CASE g % 1000 WHEN 5 THEN 'COMPLETED_WITH_ERRORS' ELSE 'COMPLETED_SUCCESSFULLY' END)::public."TaskRunStatus", repeat('x', 200), 't', 's', CASE g % 10 WHEN 1 THEN 'env_1' ELSE 'env_0' END, 'p', 'q', ARRAY['tag' || g % 1000] || CASE g % 100000 WHEN 7 THEN '{rare}'::text[] ELSE '{}' END, created, created, 'batch_' || g / 50, CASE WHEN g % 10 > 0 THEN `+benchID(runid.V2, "(g / 10 * 10)")+` END
			FROM (SELECT g, `+benchID(t, "g")+` AS id, timestamp '2025-06-15 15:06:40' + g / 3 * interval '1 millisecond' AS created FROM generate_series(1, $1::int) g) x`, benchRows)
		for _, index := range indexes {
			exec(index.SQL)
		}
		exec("VACUUM ANALYZE " + table)
	}
	return b1(New(Config{Primary: pool})), asked
}

// benchID is the id, in SQL, of a table's run of some number.
func benchID(t runid.Table, number string) string {
	if t == runid.Legacy {
		return "'c' || substr(md5(" + number + "::text), 1, 24)"
	}
	return "'2' || substr(md5(" + number + "::text), 1, 26)"
}

// b1 and b2 give a result that has to be there.
func b1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b2(runs []Run, err error) []Run {
	if len(runs) < 50 {
		panic(fmt.Sprintf("%d runs, %v", len(runs), err))
	}
	return b1(runs, err)
}
