package replication

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Stream follows the tables. Use it from one goroutine.
type Stream struct {
	cfg       Config
	control   *control
	start     LSN // what the slot had at first
	processed LSN // every commit before it has been delivered
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// Open takes the lock on the slot's name, checks that the tables can be
// followed, and makes publication and slot. It waits until the transactions
// that are open now have ended: the slot's first position must not cut one.
// Close the Stream when it is no longer used.
func Open(ctx context.Context, cfg Config) (*Stream, error) {
	if !slotName.MatchString(cfg.Slot) {
		return nil, fmt.Errorf("slot name %q (REALTIME_GW_SLOT): use lower case letters, digits and underscores, at most 63", cfg.Slot)
	}
	if len(cfg.Tables) == 0 {
		return nil, errors.New("no tables to follow")
	}
	if cfg.StatusInterval <= 0 {
		cfg.StatusInterval = 10 * time.Second
	}
	c, err := openControl(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Stream{cfg: cfg, control: c}
	if err = c.check(ctx, cfg.Tables); err == nil {
		s.start, err = c.recreate(ctx, cfg.Tables)
	}
	if err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}
	s.processed = s.start
	return s, nil
}

// Start is the position from which the stream has everything.
func (s *Stream) Start() LSN { return s.start }

// Close drops slot and publication and gives the name back. Run must have
// returned.
func (s *Stream) Close(ctx context.Context) error {
	err := s.hold(ctx)
	if errors.Is(err, ErrSlotTaken) {
		return nil // somebody else's slot now
	}
	if err != nil {
		return err
	}
	return errors.Join(s.control.drop(ctx), s.control.close(ctx))
}

// Run delivers to c until ctx is done, then returns nil. It outlives lost
// connections; any other error is final, and says what to do.
func (s *Stream) Run(ctx context.Context, c Consumer) error {
	const first, most = 50 * time.Millisecond, 5 * time.Second
	delay := first
	for {
		connected := false
		err := s.follow(ctx, c, &connected)
		if connected {
			c.Following(false)
			delay = first
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errFinal) || errors.Is(err, ErrSlotTaken) {
			return err
		}
		s.cfg.Logger.Warn().Err(err).Str("slot", s.cfg.Slot).Dur("retry_in", delay).Msg("replication stopped, connecting again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
		delay = min(2*delay, most)
	}
}

// errFinal marks an error that a new connection would only meet again.
var errFinal = errors.New("replication cannot go on")

// follow connects, makes sure that the slot is still ours, and delivers until
// something breaks.
func (s *Stream) follow(ctx context.Context, c Consumer, connected *bool) error {
	if err := s.hold(ctx); err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		// The connection is in the middle of a copy: there is no polite way out.
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(gone)
	}()
	err = pglogrepl.StartReplication(ctx, conn, s.cfg.Slot, pglogrepl.LSN(s.processed), pglogrepl.StartReplicationOptions{
		Mode:       pglogrepl.LogicalReplication,
		PluginArgs: []string{"proto_version '1'", fmt.Sprintf(`publication_names '"%s"'`, s.cfg.Slot)},
	})
	if hasCode(err, codeUndefinedObject, codeNotInState) {
		if s.processed, err = s.control.recreate(ctx, s.cfg.Tables); err != nil {
			return err
		}
		s.cfg.Logger.Warn().Str("slot", s.cfg.Slot).Msg("the replication slot was lost and has been made anew: all shapes start over")
		c.Lost()
		return errors.New("the slot was made anew")
	}
	if hasCode(err, codeObjectInUse) {
		// Our own last connection, of which Postgres does not know yet that it is gone.
		return errors.Join(err, s.control.endReader(ctx))
	}
	if err != nil {
		return fmt.Errorf("start replication from slot %q: %w", s.cfg.Slot, err)
	}
	*connected = true
	c.Following(true)
	return s.receive(ctx, conn, c)
}

// hold makes sure that this instance has the lock, on a connection that lives.
func (s *Stream) hold(ctx context.Context) error {
	if !s.control.conn.IsClosed() && s.control.conn.Ping(ctx) == nil {
		return nil
	}
	_ = s.control.close(ctx)
	c, err := openControl(ctx, s.cfg)
	if err != nil {
		return err
	}
	s.control = c
	return nil
}

func (s *Stream) connect(ctx context.Context) (*pgconn.PgConn, error) {
	pc, err := pgconn.ParseConfig(s.cfg.DatabaseURL)
	if err != nil {
		return nil, errors.New("the database URL cannot be read")
	}
	for k, v := range SessionSettings() {
		pc.RuntimeParams[k] = v
	}
	pc.RuntimeParams["application_name"] = "realtime-gw replication " + s.cfg.Slot
	pc.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("connect for replication: %w", err)
	}
	return conn, nil
}

// receive delivers until the connection ends. Between two status updates it
// waits with one deadline, so that a message costs no timer of its own.
func (s *Stream) receive(ctx context.Context, conn *pgconn.PgConn, c Consumer) error {
	d := newDecoder()
	for {
		if err := s.acknowledge(ctx, conn); err != nil {
			return err
		}
		until, cancel := context.WithTimeout(ctx, s.cfg.StatusInterval)
		err := s.receiveUntil(until, conn, d, c)
		cancel()
		if err != nil && (!pgconn.Timeout(err) || ctx.Err() != nil) {
			return err
		}
	}
}

// receiveUntil delivers until Postgres asks for a status (nil) or an error,
// ctx's end among them.
func (s *Stream) receiveUntil(ctx context.Context, conn *pgconn.PgConn, d *decoder, c Consumer) error {
	for {
		raw, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("receive from the slot: %w", err)
		}
		switch m := raw.(type) {
		case *pgproto3.CopyData:
			asked, err := s.take(m.Data, d, c)
			if err != nil || asked {
				return err
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
		// Sent between transactions only: everything before it is delivered.
		s.advance(LSN(k.ServerWALEnd), c)
		return k.ReplyRequested, nil
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return false, fmt.Errorf("read the stream: %w", err)
		}
		tx, end, err := d.decode(x.WALData)
		if err != nil {
			return false, fmt.Errorf("%w: %w", errFinal, err)
		}
		if tx != nil {
			c.Transaction(*tx)
		}
		if end != 0 {
			s.advance(end, c)
		}
	}
	return false, nil
}

func (s *Stream) advance(to LSN, c Consumer) {
	if to > s.processed {
		s.processed = to
		c.Position(to)
	}
}

func (s *Stream) acknowledge(ctx context.Context, conn *pgconn.PgConn) error {
	err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: pglogrepl.LSN(s.processed)})
	if err != nil {
		return fmt.Errorf("tell Postgres what was processed: %w", err)
	}
	return nil
}
