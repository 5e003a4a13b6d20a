package runstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

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
