package runstore

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// planning are the settings under which Postgres plans a list. It plans a statement
// that comes again either for the values in hand or once for all, whichever it
// takes to be cheaper, and of a list it is wrong about both.
type planning string

// The settings hold to the end of the transaction.
const (
	// byIndex is for pages of everything, or of a period: along the index of
	// environment and time, planned once. To plan it anew takes as long as to read
	// it. But a plan for all values counts on the few rows that an environment has
	// where there are many, and would sort them: the whole of a large environment,
	// for one page. So that is forbidden. To sort rows of the same time, where the
	// index has the rest in order, is another setting's and stays.
	byIndex planning = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_sort', 'off', true)`

	// byValues is for all other filters: how to read depends on how rare the
	// values are. The one plan for all looks cheap, and may read everything.
	byValues planning = `SELECT set_config('plan_cache_mode', 'force_custom_plan', true)`
)

// boundedBy is one setting more: the time that the list may take, in milliseconds, unless
// the database allows less.
const boundedBy = `, set_config('statement_timeout', least($1::int, nullif(extract(epoch FROM current_setting('statement_timeout')::interval) * 1000, 0))::int::text, true)`

// planning is how the query is planned when it is asked for some runs.
func (q Query) planning(limit int) planning {
	if limit > 0 && q.Order.byCreation() && q.Filter.onlyPeriod() {
		return byIndex
	}
	return byValues
}

// list reads rows by a statement that is planned as said. The settings go out together
// with it and hold for it alone: what comes to a pool at once is one transaction. On
// anything else they would outlive the list, so there it gets a transaction of its
// own, which is a savepoint inside another.
func list[T any](ctx context.Context, s *Store, p planning, sql string, args pgx.NamedArgs, row pgx.RowToFunc[T]) ([]T, error) {
	return read(ctx, s, func(db DB) (found []T, err error) {
		if _, pool := db.(*pgxpool.Pool); !pool {
			tx, err := db.Begin(ctx)
			if err != nil {
				return nil, err
			}
			// Nothing was written. If this fails, so does whatever comes next.
			defer func() { _ = tx.Rollback(ctx) }()
			db = tx
		}
		batch := &pgx.Batch{}
		if s.atMost > 0 {
			batch.Queue(string(p)+boundedBy, min(max(s.atMost.Milliseconds(), 1), math.MaxInt32))
		} else {
			batch.Queue(string(p))
		}
		batch.Queue(sql, args)
		sent := db.SendBatch(ctx, batch)
		defer func() {
			if closed := sent.Close(); err == nil {
				err = closed
			}
			// This is the code of a cancel as well; but a caller who gave up has another error.
			if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "57014" { // query_canceled
				err = fmt.Errorf("%w (%w)", ErrTooSlow, err)
			}
		}()
		if _, err := sent.Exec(); err != nil {
			return nil, err
		}
		rows, err := sent.Query()
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, row)
	})
}
