package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// errLayoutChanged says that the table was altered between the request's look
// at the catalog and the snapshot: the shape rotates and is made anew.
var errLayoutChanged = errors.New("the table was altered while its snapshot was taken")

// takeSnapshot registers a new shape and fills it. The snapshot must see all
// transactions that had been read from the log when the shape was registered,
// because the shape was not told of them.
func (s *Server) takeSnapshot(ctx context.Context, sh *shape) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect for a snapshot: %w", err)
	}
	defer conn.Release()
	processed, err := s.register(sh)
	if err != nil {
		return err
	}
	tx, at, err := beginSnapshot(ctx, conn.Conn(), sh.query.schema.table, processed)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()

	now, err := loadTable(ctx, tx, sh.query.schema.table)
	if err != nil {
		return err
	}
	if !sh.query.sameLayout(now) {
		return errLayoutChanged
	}
	if sh.join(at) {
		return errRotated
	}
	return s.spoolRows(ctx, tx.Conn(), sh, at.snapshot)
}

// errRotated says that the shape was over before its snapshot was taken.
var errRotated = errors.New("the shape rotated while its snapshot was taken")

// beginSnapshot opens a transaction whose snapshot sees everything in processed.
//
// The table is locked first: a table that is rewritten between the snapshot and
// the reading of its rows would look empty to the snapshot.
//
// A commit can be read from the log a moment before other sessions see it (the
// record is written first, then the transaction is taken off the list of those
// running; with synchronous replication the moment can be long). A snapshot
// taken in between would miss rows of which the log no longer speaks, so it is
// given up and taken again.
func beginSnapshot(ctx context.Context, conn *pgx.Conn, table replication.Table, processed []uint32) (pgx.Tx, joinPoint, error) {
	for delay := time.Millisecond; ; delay = min(2*delay, 100*time.Millisecond) {
		tx, at, err := trySnapshot(ctx, conn, table)
		if err != nil {
			return nil, joinPoint{}, err
		}
		if seesAll(at.snapshot, processed) {
			return tx, at, nil
		}
		if err := tx.Rollback(ctx); err != nil {
			return nil, joinPoint{}, fmt.Errorf("give up a snapshot: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, joinPoint{}, ctx.Err()
		case <-time.After(delay):
		}
	}
}

func seesAll(s pgSnapshot, xids []uint32) bool {
	for _, x := range xids {
		if !s.sees(x) {
			return false
		}
	}
	return true
}

func trySnapshot(ctx context.Context, conn *pgx.Conn, table replication.Table) (_ pgx.Tx, at joinPoint, err error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, at, fmt.Errorf("begin a snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx))
		}
	}()
	if _, err = tx.Exec(ctx, "LOCK TABLE "+quoteTable(table)+" IN ACCESS SHARE MODE"); err != nil {
		return nil, at, fmt.Errorf("lock the table for a snapshot: %w", err)
	}
	// The snapshot is taken when the statement begins, the position is read
	// while it runs: what the snapshot sees was written before that position.
	var text, lsn string
	err = tx.QueryRow(ctx, "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text").Scan(&text, &lsn)
	if err != nil {
		return nil, at, fmt.Errorf("ask what a snapshot sees: %w", err)
	}
	if at.snapshot, err = parsePgSnapshot(text); err != nil {
		return nil, at, err
	}
	until, err := pglogrepl.ParseLSN(lsn)
	if err != nil {
		return nil, at, fmt.Errorf("read the position of a snapshot: %w", err)
	}
	at.until = replication.LSN(until)
	return tx, at, nil
}

// spoolRows reads the rows as text and cuts them into chunks. A chunk ends with
// the row that fills it.
func (s *Server) spoolRows(ctx context.Context, conn *pgx.Conn, sh *shape, snap pgSnapshot) error {
	sql, args := sh.query.sql()
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	rows := conn.PgConn().ExecParams(ctx, sql, values, nil, nil, nil)
	row := make(replication.Tuple, len(sh.query.names))
	const portion = 64 << 10 // bytes written to the spool at a time
	var b []byte
	size := 0 // of the chunk that is being written, without commas
	for rows.NextRow() {
		for i, v := range rows.Values() {
			row[i] = replication.Value{Text: string(v), Null: v == nil}
		}
		if size > 0 {
			b = append(b, ',')
		}
		n := len(b)
		b = sh.query.encoder.snapshotRow(b, row)
		size += len(b) - n
		full := size >= s.cfg.ChunkBytes
		if len(b) < portion && !full {
			continue
		}
		if err := sh.spool.write(b); err != nil {
			_, _ = rows.Close()
			return err
		}
		b = b[:0]
		if full {
			sh.addChunk(false)
			size = 0
		}
	}
	if _, err := rows.Close(); err != nil {
		return fmt.Errorf("read the rows of a snapshot: %w", err)
	}
	if size > 0 {
		b = append(b, ',')
	}
	if err := sh.spool.write(append(b, snapshotEnd(snap)...)); err != nil {
		return err
	}
	sh.addChunk(true)
	return nil
}
