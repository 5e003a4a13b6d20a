package runstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

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

// A list in a transaction is between these, so that its settings, and what it may fail
// with, end with it.
const (
	beginList = "SAVEPOINT realtime_gw_list"
	undoList  = "ROLLBACK TO SAVEPOINT realtime_gw_list"
	endList   = "RELEASE SAVEPOINT realtime_gw_list"
)

// endWithin is how long it may take to end a list that failed.
const endWithin = 5 * time.Second

// list reads rows by a statement that is planned as said, in atMost, if that is more than
// none. The settings go out together with it and hold for it alone: what comes to a pool at
// once is one transaction, and in a transaction it is in a savepoint.
func list[T any](ctx context.Context, s *Store, p planning, atMost time.Duration, sql string, args pgx.NamedArgs, row pgx.RowToFunc[T]) ([]T, error) {
	return read(ctx, s, func(db DB) (found []T, err error) {
		batch := &pgx.Batch{} // of one connection: it remembers what that knows
		within := inTransaction(db)
		if within {
			batch.Queue(beginList)
		}
		if atMost > 0 {
			batch.Queue(string(p)+boundedBy, min(max(atMost.Milliseconds(), 1), math.MaxInt32))
		} else {
			batch.Queue(string(p))
		}
		batch.Queue(sql, args)
		if within {
			batch.Queue(undoList) // nothing was written
			batch.Queue(endList)
			found, err = listWithin(ctx, db, batch, row)
		} else {
			sent := db.SendBatch(ctx, batch)
			found, err = listed(sent, row)
			err = cmp.Or(err, sent.Close())
		}
		// This is the code of a cancel as well; but a caller who gave up has another error.
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "57014" { // query_canceled
			err = fmt.Errorf("%w (%w)", ErrTooSlow, err)
		}
		return found, err
	})
}

// inTransaction says that what db is asked goes on after a list.
func inTransaction(db DB) bool {
	switch db := db.(type) {
	case *pgxpool.Pool:
		return false
	case *pgx.Conn:
		return db.PgConn().TxStatus() != 'I' // idle
	}
	return true
}

// listed reads the answers to settings and to a list.
func listed[T any](sent pgx.BatchResults, row pgx.RowToFunc[T]) ([]T, error) {
	if _, err := sent.Exec(); err != nil {
		return nil, err
	}
	rows, err := sent.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, row)
}

// listWithin is the same in a transaction, which a list that fails does not spoil.
func listWithin[T any](ctx context.Context, db DB, batch *pgx.Batch, row pgx.RowToFunc[T]) (found []T, err error) {
	sent := db.SendBatch(ctx, batch)
	if _, err := sent.Exec(); err != nil { // it did not begin
		_ = sent.Close()
		return nil, err
	}
	found, err = listed(sent, row)
	for range 2 {
		if err == nil {
			_, err = sent.Exec()
		}
	}
	err = cmp.Or(err, sent.Close())
	if err != nil {
		// Also for a caller who gave up on the list, and not on the transaction.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		if _, undone := db.Exec(ctx, undoList+"; "+endList); undone != nil {
			err = fmt.Errorf("%w (and the transaction is lost: %w)", err, undone)
		}
	}
	return found, err
}
