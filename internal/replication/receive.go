package replication

import (
	"context"
	"errors"
	"fmt"
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
