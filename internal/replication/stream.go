package replication

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Stream follows the tables. Use it from one goroutine.
type Stream struct {
	cfg       Config
	control   *control
	start     LSN           // what the slot had at first
	processed atomic.Uint64 // an LSN: every commit before it has been delivered
	tables    []tableState  // as they were when changes were last known to be whole
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// ValidSlot says whether a text can be the name of a slot.
func ValidSlot(name string) bool { return slotName.MatchString(name) }

// Open takes the lock on the slot's name, checks that the tables can be
// followed, and makes publication and slot. It waits until the transactions
// that are open now have ended: the slot's first position must not cut one.
// Close the Stream when it is no longer used.
func Open(ctx context.Context, cfg Config) (*Stream, error) {
	if !ValidSlot(cfg.Slot) {
		return nil, fmt.Errorf("slot name %q (REALTIME_GW_SLOT): use lower case letters, digits and underscores, at most 63", cfg.Slot)
	}
	if len(cfg.Tables) == 0 {
		return nil, errors.New("no tables to follow")
	}
	if cfg.StatusInterval <= 0 {
		cfg.StatusInterval = 10 * time.Second
	}
	if cfg.CheckInterval <= 0 {
		cfg.CheckInterval = 5 * time.Second
	}
	c, err := openControl(ctx, cfg, 0)
	if err != nil {
		return nil, err
	}
	s := &Stream{cfg: cfg, control: c}
	if err = c.check(ctx, cfg.Tables); err == nil {
		if s.start, err = c.recreate(ctx, cfg.Tables); err == nil {
			s.tables, err = c.look(ctx, cfg.Tables)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}
	s.processed.Store(uint64(s.start))
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
	if err := s.mend(ctx, c); err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(ctx, conn)
	interval, err := s.statusInterval(ctx, conn)
	if err != nil {
		return err
	}
	err = pglogrepl.StartReplication(ctx, conn, s.cfg.Slot, pglogrepl.LSN(s.processed.Load()), pglogrepl.StartReplicationOptions{
		Mode:       pglogrepl.LogicalReplication,
		PluginArgs: []string{"proto_version '1'", fmt.Sprintf(`publication_names '"%s"'`, s.cfg.Slot)},
	})
	if hasCode(err, codeUndefinedObject, codeNotInState) {
		if err := s.renew(ctx, c, "the replication slot was lost and has been made anew"); err != nil {
			return err
		}
		return errors.New("the slot was made anew")
	}
	if hasCode(err, codeObjectInUse) {
		// Our own last connection, of which Postgres does not know yet that it is gone.
		return errors.Join(err, s.control.endReader(ctx))
	}
	if err != nil {
		return fmt.Errorf("start replication from slot %q: %w", s.cfg.Slot, err)
	}
	// From here on nobody else can move the slot.
	confirmed, err := s.control.confirmed(ctx)
	if err != nil {
		return err
	}
	if uint64(confirmed) > s.processed.Load() {
		hangUp(ctx, conn)
		if err := s.renew(ctx, c, "somebody else has moved the replication slot on, or made another of its name"); err != nil {
			return err
		}
		return errors.New("the slot was made anew")
	}
	*connected = true
	c.Following(true)
	return s.receive(ctx, conn, interval, c)
}

// hangUp closes a connection that is in the middle of a copy: there is no polite
// way out.
func hangUp(ctx context.Context, conn *pgconn.PgConn) {
	gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(gone)
}

// hold makes sure that this instance has the lock, on a connection that lives.
func (s *Stream) hold(ctx context.Context) error {
	if !s.control.conn.IsClosed() && s.control.conn.Ping(ctx) == nil {
		return nil
	}
	_ = s.control.close(ctx)
	c, err := openControl(ctx, s.cfg, s.control.conn.PgConn().PID())
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
