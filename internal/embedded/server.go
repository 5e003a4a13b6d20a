package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// Server is a shape server for the tables of its Config. It is safe for
// concurrent use.
type Server struct {
	cfg    Config
	stream *replication.Stream
	pool   *pgxpool.Pool

	ctx     context.Context // ends with the server: snapshots and following
	cancel  context.CancelFunc
	closing chan struct{} // closed first: held requests are answered
	work    sync.WaitGroup
	ended   chan struct{} // closed when following has ended
	err     error         // why; set before ended is closed
	state   atomic.Int32  // a followState
	seen    atomic.Uint64 // the newest commit whose changes are in all logs
	read    atomic.Uint64 // the position up to which the log has been read

	connects, losses atomic.Uint64

	mu        sync.RWMutex
	closed    bool
	tables    map[replication.Table]*tableIndex
	shapes    map[string]*shape // by identity
	former    map[string]*shape // by handle: cut short, for their readers alone
	processed xidRing
	lastMicro int64

	ledger   ledger
	relief   sync.Mutex // one looks for room at a time
	noRelief time.Time  // until when it is no use

	hooks hookBox
}

type followState int32

const (
	starting followState = iota // not connected yet
	active                      // connected
	waiting                     // connection lost
)

// New connects, takes the slot, and returns when the tables are being followed.
// The server lives until Close; ctx bounds the start alone.
func New(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	pool, err := openPool(ctx, cfg)
	if err != nil {
		return nil, err
	}
	stream, err := replication.Open(ctx, replication.Config{
		DatabaseURL: cfg.DatabaseURL, Slot: cfg.Slot, Tables: cfg.Tables, Logger: cfg.Logger,
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("start the embedded shape server: %w", err)
	}
	s := &Server{
		cfg: cfg, stream: stream, pool: pool,
		closing: make(chan struct{}), ended: make(chan struct{}),
		tables: make(map[replication.Table]*tableIndex),
		shapes: make(map[string]*shape), former: make(map[string]*shape),
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, t := range cfg.Tables {
		s.tables[t] = newTableIndex()
	}
	s.seen.Store(uint64(stream.Start()))
	s.read.Store(uint64(stream.Start()))
	up := &follower{server: s, up: make(chan struct{})}
	go func() {
		defer close(s.ended)
		if s.err = stream.Run(s.ctx, up); s.err != nil {
			cfg.Logger.Error().Err(s.err).Str("slot", cfg.Slot).Msg(errEnded.Error())
		}
	}()
	select {
	case <-up.up:
		return s, nil
	case <-s.ended:
		err = s.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(fmt.Errorf("start the embedded shape server: %w", err), s.Close(context.WithoutCancel(ctx)))
}

func openPool(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(cfg.DatabaseURL)
	if err != nil {
		// The parse error can hold the URL, and the URL holds the password.
		return nil, errors.New("the database URL cannot be read: it should look like postgres://user:password@host:5432/name")
	}
	for k, v := range replication.SessionSettings() {
		pc.ConnConfig.RuntimeParams[k] = v
	}
	pc.ConnConfig.RuntimeParams["application_name"] = "realtime-gw snapshots " + cfg.Slot
	pc.MaxConns = int32(cfg.SnapshotConns)
	// A connection that Postgres has closed meanwhile must not cost a request.
	pc.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("connect for snapshots: %w", err)
	}
	return pool, nil
}

// Done is closed when the server no longer follows the database and will not
// again: after Close, or when Err says why. From then on every request is a 503.
func (s *Server) Done() <-chan struct{} { return s.ended }

// Err is why following has ended; nil before Done is closed and after Close.
func (s *Server) Err() error {
	select {
	case <-s.ended:
		return s.err
	default:
		return nil
	}
}

// Close answers held requests, waits for running ones, drops the replication
// slot and frees everything. Requests that come later get a 503. ctx bounds the
// waiting.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	s.cancel()
	<-s.ended
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("wait for running requests: %w", ctx.Err())
	}
	s.rotateAll()
	s.pool.Close()
	return errors.Join(err, s.stream.Close(ctx))
}

// begin counts a piece of work in, unless the server is closing.
func (s *Server) begin() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	return true
}

// lastSeen is the newest commit whose changes are in all logs.
func (s *Server) lastSeen() replication.LSN { return replication.LSN(s.seen.Load()) }
