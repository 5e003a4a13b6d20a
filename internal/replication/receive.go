package replication

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// receive delivers until the connection ends. Beside it, attend keeps the
// connection alive, however long the Consumer takes over a change: Postgres cuts
// off who has not answered for wal_sender_timeout.
func (s *Stream) receive(ctx context.Context, conn *pgconn.PgConn, interval time.Duration, c Consumer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &status{stream: s, conn: conn}
	var beside sync.WaitGroup
	beside.Go(func() { cancel(s.attend(ctx, out, interval)) })
	// The checks use the control connection, which is not for two.
	defer beside.Wait()
	defer cancel(nil)
	d := newDecoder()
	err := s.deliver(ctx, conn, d, out, c)
	if d.open {
		c.Abort()
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (s *Stream) deliver(ctx context.Context, conn *pgconn.PgConn, d *decoder, out *status, c Consumer) error {
	for {
		raw, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("receive from the slot: %w", err)
		}
		switch m := raw.(type) {
		case *pgproto3.CopyData:
			asked, err := s.take(m.Data, d, c)
			if err != nil {
				return err
			}
			if asked {
				if err := out.send(ctx); err != nil {
					return err
				}
			}
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyDone:
			return errors.New("postgres ended the stream")
		}
	}
}

// take handles one message of the copy stream, and says whether Postgres asks
// for a status.
func (s *Stream) take(data []byte, d *decoder, c Consumer) (asked bool, err error) {
	if len(data) == 0 {
		return false, errors.New("postgres sent an empty message")
	}
	switch data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return false, fmt.Errorf("read a keepalive: %w", err)
		}
		// One that comes inside a transaction speaks of what was before it.
		if !d.open {
			s.advance(LSN(k.ServerWALEnd), c)
		}
		return k.ReplyRequested, nil
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return false, fmt.Errorf("read the stream: %w", err)
		}
		end, err := d.decode(x.WALData, c)
		if err != nil {
			return false, fmt.Errorf("%w: %w", errFinal, err)
		}
		s.advance(end, c)
	}
	return false, nil
}

func (s *Stream) advance(to LSN, c Consumer) {
	if uint64(to) > s.processed.Load() {
		s.processed.Store(uint64(to))
		c.Position(to)
	}
}

// attend tells Postgres what has been processed, and looks at the lock and the
// tables, until ctx is done or something is not as it should be.
func (s *Stream) attend(ctx context.Context, out *status, interval time.Duration) error {
	beat, look := time.NewTicker(interval), time.NewTicker(s.cfg.CheckInterval)
	defer beat.Stop()
	defer look.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			err = out.send(ctx)
		case <-look.C:
			err = s.check(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// check ends the connection when the control connection, and with it the lock,
// is lost, or a table is not what it was: connecting again puts both right.
func (s *Stream) check(ctx context.Context) error {
	now, err := s.control.look(ctx, s.cfg.Tables)
	if err != nil {
		return err
	}
	if changed(s.tables, now) {
		return errTablesChanged
	}
	return nil
}

var errTablesChanged = errors.New("a table was dropped, made anew or taken out of the publication")

// status writes status messages to a connection, for two goroutines.
type status struct {
	stream *Stream
	mu     sync.Mutex
	conn   *pgconn.PgConn
}

func (o *status) send(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := pglogrepl.LSN(o.stream.processed.Load())
	if err := pglogrepl.SendStandbyStatusUpdate(ctx, o.conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: at}); err != nil {
		return fmt.Errorf("tell Postgres what was processed: %w", err)
	}
	return nil
}

// statusInterval is how often this connection needs a status: three times in
// wal_sender_timeout, which can be another for every role and database.
func (s *Stream) statusInterval(ctx context.Context, conn *pgconn.PgConn) (time.Duration, error) {
	results, err := conn.Exec(ctx, `SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'`).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("read wal_sender_timeout: %w", err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return s.cfg.StatusInterval, nil
	}
	ms, err := strconv.Atoi(string(results[0].Rows[0][0]))
	if err != nil || ms <= 0 { // 0: no timeout
		return s.cfg.StatusInterval, nil
	}
	return min(s.cfg.StatusInterval, time.Duration(ms)*time.Millisecond/3), nil
}
