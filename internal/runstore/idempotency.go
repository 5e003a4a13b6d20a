package runstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// FindByIdempotencyKeys reads the runs of a task that have one of the keys, in
// one query. The two tables have an index each, so that a key can have a run in
// both: then v2's comes first, and the caller judges. It asks the primary:
// whoever is told that there is none makes one.
//
// Each key is looked for by itself. For a list of values Postgres may choose to read
// the whole environment, above all in a table of which it has no statistics yet, as
// v2's is at first; for one value of each column the unique index is the best there is.
func (s *Store) FindByIdempotencyKeys(ctx context.Context, environmentID, task string, keys []string) ([]Run, error) {
	q, args := Query{EnvironmentID: environmentID}, pgx.NamedArgs{"task": task, "keys": orEmpty(keys)}
	var selects []string
	for _, table := range runid.Tables() {
		where := q.where(table, args, notSuperseded) + ` AND r."taskIdentifier" = @task AND r."idempotencyKey" = k.key`
		selects = append(selects, "SELECT "+s.columns[false]+" FROM (SELECT DISTINCT unnest(@keys::text[])) k (key), LATERAL (SELECT * FROM public."+table.SQL()+" r WHERE "+where+" LIMIT 1) r")
	}
	runs, err := list(ctx, s.OnPrimary(), byValues, 0, strings.Join(selects, " UNION ALL "), args, pgx.RowToStructByName[Run])
	slices.SortStableFunc(runs, v2First)
	return runs, wrap("find runs by idempotency keys", err)
}

// FindByIdempotencyKey reads the runs of a task that have a key, as
// FindByIdempotencyKeys does for many: at most one of each table, v2's first.
func (s *Store) FindByIdempotencyKey(ctx context.Context, environmentID, task, key string) ([]Run, error) {
	runs, err := s.OnPrimary().selectEither(ctx, "find runs by an idempotency key", environmentID, false,
		`r."taskIdentifier" = @task AND r."idempotencyKey" = @key`, pgx.NamedArgs{"task": task, "key": key})
	slices.SortStableFunc(runs, v2First)
	return runs, err
}

func v2First(a, b Run) int { return cmp.Compare(b.Table(), a.Table()) }

// FindByOneTimeUseToken reads the runs that were triggered with a token, without
// what may be large: at most one of each table. It asks the primary.
func (s *Store) FindByOneTimeUseToken(ctx context.Context, environmentID, token string) ([]Run, error) {
	return s.OnPrimary().selectEither(ctx, "find runs by a token", environmentID, true,
		`r."oneTimeUseToken" = @token`, pgx.NamedArgs{"token": token})
}

// ClearIdempotencyKey frees the key of one run, with its expiry, if that is the
// key the run still has, and says whether it was: a key that another run has got
// meanwhile is not touched.
func (s *Store) ClearIdempotencyKey(ctx context.Context, key Key, idempotencyKey string) (did bool, err error) {
	return s.guarded(ctx, "clear a run's idempotency key", key, s.statements(key).clearKey, pgx.NamedArgs{"key": idempotencyKey})
}

// ClearIdempotencyKeyOfTask frees a key of a task, with its expiry, in both
// tables, which can have one run with it each. It gives their number.
func (s *Store) ClearIdempotencyKeyOfTask(ctx context.Context, environmentID, task, idempotencyKey string) (int64, error) {
	parts := map[runid.Table]string{}
	for _, t := range runid.Tables() {
		parts[t] = s.runs[t].clearKeyByValue
	}
	return s.sum(ctx, "clear an idempotency key", parts, pgx.NamedArgs{"environment": environmentID, "task": task, "key": idempotencyKey})
}

// ClearIdempotencyKeys frees the keys of many runs, whatever tables they are in,
// and leaves their expiry. It gives the number of runs that were there.
func (s *Store) ClearIdempotencyKeys(ctx context.Context, environmentID string, ids []runid.Friendly) (int64, error) {
	if err := (Filter{FriendlyIDs: ids}).check(); err != nil {
		return 0, err
	}
	parts, args := map[runid.Table]string{}, pgx.NamedArgs{"environment": environmentID}
	for _, t := range runid.Tables() {
		if at := friendlyAt(ids, t); len(at) > 0 {
			parts[t], args["ids_"+t.String()] = s.runs[t].clearKeysByFriendlyID, at
		}
	}
	return s.sum(ctx, "clear idempotency keys", parts, args)
}
