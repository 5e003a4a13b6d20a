package runstore

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// WithLocked calls do with a run as it is now, in a transaction in which nobody
// else changes the run: what do finds, it may act upon, through the store it is
// given. The transaction is committed when do returns nil, and rolled back on an
// error, which is returned as it is. A run that is not there is ErrNotFound, and
// do is not called.
func (s *Store) WithLocked(ctx context.Context, key Key, do func(in *Store, run Run) error) error {
	return pgx.BeginFunc(ctx, s.writer(), func(tx pgx.Tx) error {
		run, err := one[Run](ctx, tx, s.statements(key).findForUpdate, pgx.NamedArgs{"id": key.ID, "environment": key.EnvironmentID})
		if err != nil {
			return wrap("lock a run", err)
		}
		return do(s.In(tx), run)
	})
}
