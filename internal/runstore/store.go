package runstore

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Config is what a Store works on.
type Config struct {
	// Primary is written to, and read when there is nothing better. Required.
	Primary *pgxpool.Pool

	// Replica is read first. It may lag: what it does not have is looked for on
	// the primary as well, since a client takes "not found" as final. Default:
	// none.
	Replica *pgxpool.Pool

	// ListTime is how long Postgres may take for a list: FindMany, FindPage, FindOne
	// and Count of runs that are not named by their ids, which in the worst case read
	// a whole environment. Then the answer is ErrTooSlow. A statement_timeout of the
	// database's own that is shorter holds. Negative: no bound but that. Default: 10 s.
	ListTime time.Duration

	// Now tells the time for "updatedAt" and for what is created. Default:
	// time.Now.
	Now func() time.Time
}

const listTime = 10 * time.Second

// DB runs statements: a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error) // on a pgx.Tx, a savepoint
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Store is the two run tables as one. It is safe for concurrent use, unless it
// is bound to a transaction by In.
type Store struct {
	primary DB
	replica DB // nil for none
	clock   func() time.Time
	runs    [2]runStatements // by runid.Table
	batch   batchStatements
	columns map[bool]string // of a Run; true: without what may be large
	atMost  time.Duration   // of a list; negative: unbounded
}

// New makes a Store.
func New(c Config) (*Store, error) {
	if c.Primary == nil {
		return nil, errors.New("runstore: Config.Primary is nil: give a pool on the primary database")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{primary: c.Primary, clock: c.Now, batch: newBatchStatements(), atMost: or(c.ListTime, listTime)}
	s.columns = map[bool]string{
		false: columnsOf(reflect.TypeFor[Run]()), true: columnsWithout(reflect.TypeFor[Run](), isLarge),
	}
	if c.Replica != nil {
		s.replica = c.Replica
	}
	for _, table := range runid.Tables() {
		s.runs[table] = newRunStatements(table)
	}
	return s, nil
}

// In is the same store inside a transaction: what it writes happens with the
// rest of the transaction or not at all, and what it reads includes that. It is
// as safe for concurrent use as db is. A failed write spoils a transaction, as
// it does in Postgres.
func (s *Store) In(db DB) *Store {
	in := *s
	in.primary, in.replica = db, nil
	return &in
}

func (s *Store) writer() DB { return s.primary }

// now is the time as it is stored.
func (s *Store) now() time.Time { return stamp(s.clock()) }

// stamp makes a time what its column can hold: without a zone, to the
// millisecond. The driver stores the clock's face, whatever its zone, and
// Postgres would round the rest, perhaps into the future.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func stamped(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := stamp(*t)
	return &u
}

// one runs a statement that gives a row. No row is pgx.ErrNoRows.
func one[T any](ctx context.Context, db DB, sql string, args pgx.NamedArgs) (T, error) {
	rows, err := db.Query(ctx, sql, args)
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
}
