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
)

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
