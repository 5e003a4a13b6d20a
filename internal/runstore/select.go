package runstore

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// notSuperseded is a condition on a row r of "TaskRun": its run is not in
// task_run_v2 as well, where it would be looked at instead. It is a scalar
// subquery, because NOT EXISTS may be planned as a join that reads a whole index
// for one page; and under coalesce, because the planner takes IS NULL to be rare.
const notSuperseded = `coalesce((SELECT false FROM public.task_run_v2 v WHERE v.id = r.id AND v."runtimeEnvironmentId" = r."runtimeEnvironmentId"), true)`

// notSupersededAtAll is the same for who reads all rows, where a join is right.
const notSupersededAtAll = `NOT EXISTS (SELECT FROM public.task_run_v2 v WHERE v.id = r.id AND v."runtimeEnvironmentId" = r."runtimeEnvironmentId")`

// isLarge says that Query.WithoutLarge leaves a column out.
func isLarge(column string) bool {
	switch column {
	case "payload", "seedMetadata", "output", "context", "traceContext":
		return true
	}
	return false
}

// FindMany reads the runs that a query selects, in its order, in one query over
// the tables that can have them. A query that can select nothing asks none.
func (s *Store) FindMany(ctx context.Context, q Query) ([]Run, error) {
	tables := q.Filter.tables()
	if err := q.check(len(tables)); err != nil {
		return nil, err
	}
	place, err := q.place()
	if err != nil {
		return nil, err
	}
	return s.selectRuns(ctx, "find runs", q, place, q.Limit)
}

// Count is how many runs a filter selects, over both tables.
func (s *Store) Count(ctx context.Context, environmentID string, f Filter) (int64, error) {
	q := Query{EnvironmentID: environmentID, Filter: f}
	tables := f.tables()
	if err := q.check(len(tables)); err != nil || len(tables) == 0 {
		return 0, err
	}
	args := pgx.NamedArgs{}
	var counts []string
	for _, table := range tables {
		where := q.where(table, args, notSupersededAtAll)
		counts = append(counts, "(SELECT count(*) FROM public."+table.SQL()+" r WHERE "+where+")")
	}
	n, err := list(ctx, s, byValues, s.atMost, "SELECT "+strings.Join(counts, " + "), args, pgx.RowTo[int64])
	if err != nil {
		return 0, wrap("count runs", err)
	}
	return n[0], nil
}

// selectRuns runs a query that was checked, for at most limit runs, and gives
// them in the query's order, whichever way they were read.
func (s *Store) selectRuns(ctx context.Context, doing string, q Query, at *place, limit int) ([]Run, error) {
	tables := q.Filter.tables()
	if len(tables) == 0 {
		return nil, nil
	}
	runs, err := s.selectFrom(ctx, q, tables, at, limit)
	if q.Before != "" {
		slices.Reverse(runs)
	}
	return runs, wrap(doing, err)
}

// selectFrom reads them from some tables. Runs that are named by their ids are no list:
// there is one way to find them.
func (s *Store) selectFrom(ctx context.Context, q Query, tables []runid.Table, at *place, limit int) ([]Run, error) {
	args := pgx.NamedArgs{}
	sql := q.sql(s.columns[q.WithoutLarge], tables, at, limit, args)
	if q.Filter.apart() {
		return s.readRuns(ctx, sql, args)
	}
	return list(ctx, s, q.planning(limit), s.atMost, sql, args, pgx.RowToStructByNameLax[Run])
}

// selectEither reads, in no order, the runs of an environment for which a
// condition on a row r holds.
func (s *Store) selectEither(ctx context.Context, doing, environmentID string, without bool, condition string, args pgx.NamedArgs) ([]Run, error) {
	q := Query{EnvironmentID: environmentID}
	var selects []string
	for _, table := range runid.Tables() {
		where := q.where(table, args, notSuperseded) + " AND " + condition
		selects = append(selects, "SELECT "+s.columns[without]+" FROM public."+table.SQL()+" r WHERE "+where)
	}
	runs, err := s.readRuns(ctx, strings.Join(selects, " UNION ALL "), args)
	return runs, wrap(doing, err)
}

func (s *Store) readRuns(ctx context.Context, sql string, args pgx.NamedArgs) ([]Run, error) {
	return read(ctx, s, func(db DB) ([]Run, error) {
		rows, err := db.Query(ctx, sql, args)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByNameLax[Run])
	})
}

// sql is the statement. Over two tables each gives its own first rows, in order,
// and Postgres merges them as they come: of a page's rows from both, it reads
// little more than it returns.
func (q Query) sql(columns string, tables []runid.Table, at *place, limit int, args pgx.NamedArgs) string {
	backwards := q.Before != ""
	tail := ""
	if limit > 0 {
		tail = " LIMIT " + strconv.Itoa(limit) // as an argument, the planner would take it for a tenth of the rows
	}
	var selects []string
	for _, table := range tables {
		where := q.where(table, args, notSuperseded)
		if at != nil {
			where += " AND " + at.condition(q.Order, backwards, args)
		}
		from := " FROM public." + table.SQL() + " r WHERE " + where + q.orderBy(backwards, `r.id COLLATE "C"`)
		if len(tables) == 1 {
			if q.Offset > 0 {
				tail += " OFFSET " + strconv.Itoa(q.Offset)
			}
			return "SELECT " + columns + from + tail
		}
		selects = append(selects, "(SELECT "+columns+`, id COLLATE "C" AS "byteId"`+from+tail+")")
	}
	return "SELECT " + columns + " FROM (" + strings.Join(selects, " UNION ALL ") + ") r" + q.orderBy(backwards, `r."byteId"`) + tail
}

// where are the conditions of a query on a row r of one table. The last holds
// where runs can be in both tables.
func (q Query) where(table runid.Table, args pgx.NamedArgs, inBoth string) string {
	args["environment"] = q.EnvironmentID
	all := append([]string{`r."runtimeEnvironmentId" = @environment`}, q.Filter.conditions(table, args)...)
	if table == runid.Legacy && !q.Filter.apart() {
		all = append(all, inBoth)
	}
	return strings.Join(all, " AND ")
}
