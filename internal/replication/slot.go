package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrSlotTaken says that another instance follows the database under the same
// slot name.
var ErrSlotTaken = errors.New("another instance uses the slot: stop it, or give this one a slot name of its own (REALTIME_GW_SLOT)")

// SQLSTATE codes that mean something here.
const (
	codeObjectInUse     = "55006"
	codeUndefinedObject = "42704"
	codeNotInState      = "55000" // also: the slot has lost WAL that it needs
)

func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, c := range codes {
		if pg.Code == c {
			return true
		}
	}
	return false
}

// control is the connection that holds the advisory lock and owns the slot and
// the publication.
type control struct {
	conn *pgx.Conn
	slot string
}

// openControl connects and takes the lock on the slot's name. previous is the
// process id of this Stream's last control connection, 0 for none: Postgres may
// not know yet that it is gone, and keep the lock for it.
func openControl(ctx context.Context, cfg Config, previous uint32) (*control, error) {
	pc, err := pgx.ParseConfig(cfg.DatabaseURL)
	if err != nil {
		// The parse error can hold the URL, and the URL holds the password.
		return nil, errors.New("the database URL cannot be read: it should look like postgres://user:password@host:5432/name")
	}
	for k, v := range SessionSettings() {
		pc.RuntimeParams[k] = v
	}
	pc.RuntimeParams["default_transaction_read_only"] = "off"
	pc.RuntimeParams["application_name"] = "realtime-gw control " + cfg.Slot
	conn, err := pgx.ConnectConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	c := &control{conn: conn, slot: cfg.Slot}
	if previous != 0 {
		_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
			WHERE pid = $1 AND application_name = current_setting('application_name') AND datname = current_database()`, previous)
		if err != nil {
			_ = conn.Close(ctx)
			return nil, fmt.Errorf("end the last control connection: %w", err)
		}
	}
	var mine bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('realtime-gw slot ' || $1, 0))`, cfg.Slot).Scan(&mine)
	if err == nil && !mine {
		err = ErrSlotTaken
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("lock the replication slot %q: %w", cfg.Slot, err)
	}
	return c, nil
}

// unfitError says what somebody has to change before the tables can be followed.
type unfitError string

func (e unfitError) Error() string { return string(e) }

func unfit(format string, args ...any) error { return unfitError(fmt.Sprintf(format, args...)) }

// check says what is missing for following the tables.
func (c *control) check(ctx context.Context, tables []Table) error {
	var level, encoding string
	err := c.conn.QueryRow(ctx, `SELECT current_setting('wal_level'), current_setting('server_encoding')`).Scan(&level, &encoding)
	if err != nil {
		return fmt.Errorf("read wal_level and server_encoding: %w", err)
	}
	if level != "logical" {
		return unfit("wal_level is %s: set wal_level = logical in postgresql.conf and restart Postgres", level)
	}
	if encoding != "UTF8" {
		return unfit("the database's encoding is %s: only UTF8 holds and gives every text; copy the data into a database made with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	for _, t := range tables {
		var identity string
		err := c.conn.QueryRow(ctx, `SELECT c.relreplident::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'`, t.Schema, t.Name).Scan(&identity)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return unfit("table %q.%q does not exist: create it, or run `realtime-gw migrate`", t.Schema, t.Name)
		case err != nil:
			return fmt.Errorf("look up table %q.%q: %w", t.Schema, t.Name, err)
		case identity != "f":
			return unfit("table %q.%q does not log old rows: run ALTER TABLE %q.%q REPLICA IDENTITY FULL, or `realtime-gw migrate`",
				t.Schema, t.Name, t.Schema, t.Name)
		}
	}
	return nil
}

// recreate makes the publication and the slot anew and returns the position
// from which the slot has everything.
func (c *control) recreate(ctx context.Context, tables []Table) (LSN, error) {
	if err := c.drop(ctx); err != nil {
		return 0, err
	}
	sql := "CREATE PUBLICATION " + pgx.Identifier{c.slot}.Sanitize() + " FOR TABLE "
	for i, t := range tables {
		if i > 0 {
			sql += ", "
		}
		sql += pgx.Identifier{t.Schema, t.Name}.Sanitize()
	}
	if _, err := c.conn.Exec(ctx, sql); err != nil {
		return 0, fmt.Errorf("create the publication %q: %w", c.slot, err)
	}
	var at string
	// This waits for every transaction that is open now.
	err := c.conn.QueryRow(ctx, `SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')`, c.slot).Scan(&at)
	if err != nil {
		return 0, fmt.Errorf("create the replication slot %q: %w", c.slot, err)
	}
	return c.position(at)
}

// drop removes the slot and the publication if they are there. Whoever still
// reads from the slot is a dead instance's connection, because the lock is
// ours: it is ended.
func (c *control) drop(ctx context.Context) error {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		_, err := c.conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
			WHERE slot_name = $1 AND database = current_database()`, c.slot)
		if err == nil || hasCode(err, codeUndefinedObject) {
			break
		}
		if !hasCode(err, codeObjectInUse) {
			return fmt.Errorf("drop the replication slot %q: %w", c.slot, err)
		}
		if err := c.endReader(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drop the replication slot %q, which another connection reads: %w", c.slot, ctx.Err())
		case <-time.After(delay):
		}
	}
	if _, err := c.conn.Exec(ctx, "DROP PUBLICATION IF EXISTS "+pgx.Identifier{c.slot}.Sanitize()); err != nil {
		return fmt.Errorf("drop the publication %q: %w", c.slot, err)
	}
	return nil
}

// endReader ends the connection that reads from the slot, if there is one.
func (c *control) endReader(ctx context.Context) error {
	_, err := c.conn.Exec(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
		WHERE slot_name = $1 AND active_pid IS NOT NULL`, c.slot)
	if err != nil {
		return fmt.Errorf("end the connection that reads the replication slot %q: %w", c.slot, err)
	}
	return nil
}

// confirmed is the position up to which the slot counts as read. Postgres gives
// nothing before it, and does not say so to a reader who asks for more.
func (c *control) confirmed(ctx context.Context) (LSN, error) {
	var at string
	err := c.conn.QueryRow(ctx, `SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1`, c.slot).Scan(&at)
	if err != nil {
		return 0, fmt.Errorf("look at the replication slot %q: %w", c.slot, err)
	}
	return c.position(at)
}

func (c *control) position(text string) (LSN, error) {
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		return 0, fmt.Errorf("read the position of the replication slot %q: %w", c.slot, err)
	}
	return LSN(lsn), nil
}

// close gives the lock back first: Postgres would do so only when it has noticed
// that the connection is closed.
func (c *control) close(ctx context.Context) error {
	if !c.conn.IsClosed() {
		_, _ = c.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	}
	return c.conn.Close(ctx)
}
