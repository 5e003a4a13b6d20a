package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// Config says what a Server serves.
type Config struct {
	// DatabaseURL is a libpq connection string or URL. Its role needs
	// REPLICATION and must own the tables. Required.
	DatabaseURL string
	// Slot names the replication slot, the publication and the lock that keeps a
	// second instance away. Required.
	Slot string
	// Tables are the tables that shapes may be asked of; each needs REPLICA
	// IDENTITY FULL. None means public."TaskRun" and public.task_run_v2.
	Tables []replication.Table
	// ChunkBytes is the size at which a chunk of a snapshot or of a log ends,
	// with the message that reaches it. 0 means 10 MiB, as Electric's
	// ELECTRIC_SHAPE_CHUNK_BYTES_THRESHOLD.
	ChunkBytes int
	// LongPoll is how long a live request is held without news. 0 means 20 s.
	LongPoll time.Duration
	// SnapshotConns is how many snapshots are read from Postgres at a time.
	// 0 means 8.
	SnapshotConns int
	// SnapshotMemory is up to which size in bytes a snapshot stays in memory;
	// a larger one goes to an unlinked temporary file. 0 means 64 KiB.
	SnapshotMemory int
	// TempDir is where that file is made. "" means the system's own.
	TempDir string
	// Logger gets lost connections and failed snapshots, never rows or values.
	// The zero value is silent.
	Logger zerolog.Logger
}

func (c Config) withDefaults() Config {
	if len(c.Tables) == 0 {
		c.Tables = []replication.Table{{Schema: "public", Name: "TaskRun"}, {Schema: "public", Name: "task_run_v2"}}
	}
	if c.ChunkBytes <= 0 {
		c.ChunkBytes = 10 << 20
	}
	if c.LongPoll <= 0 {
		c.LongPoll = 20 * time.Second
	}
	if c.SnapshotConns <= 0 {
		c.SnapshotConns = 8
	}
	if c.SnapshotMemory <= 0 {
		c.SnapshotMemory = 64 << 10
	}
	return c
}

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

	mu        sync.RWMutex
	closed    bool
	tables    map[replication.Table]*tableIndex
	shapes    map[string]*shape // by identity
	processed xidRing
	lastMicro int64

	hooks hookBox
}

// hooks let a test wait for what cannot be seen from outside. They are nil in
// service.
type hooks struct {
	held     func(*http.Request) // a request is about to wait
	position func()              // read has grown
}

// hookBox holds the hooks, which are set while the server runs.
type hookBox struct{ v atomic.Pointer[hooks] }

func (b *hookBox) set(h hooks) { b.v.Store(&h) }

func (b *hookBox) held(r *http.Request) {
	if h := b.v.Load(); h != nil {
		h.held(r)
	}
}

func (b *hookBox) position() {
	if h := b.v.Load(); h != nil {
		h.position()
	}
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
		shapes: make(map[string]*shape),
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
		s.err = stream.Run(s.ctx, up)
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
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("connect for snapshots: %w", err)
	}
	return pool, nil
}

// Done is closed when the server no longer follows the database and will not
// again: after Close, or when Err says why.
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

// resolve finds the shape of a definition, or makes it.
func (s *Server) resolve(ctx context.Context, d *definition) (*shape, error) {
	id := d.identity()
	s.mu.RLock()
	sh, index := s.shapes[id], s.tables[d.table]
	s.mu.RUnlock()
	if sh != nil {
		return sh, nil
	}
	unknown := &requestError{"table", fmt.Sprintf(`Table "%s"."%s" does not exist, or is not served by this embedded shape server. If the table name contains capitals or special characters you must quote it.`, d.table.Schema, d.table.Name)}
	if index == nil {
		return nil, unknown
	}
	t, err := loadTable(ctx, s.pool, d.table)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, unknown
	}
	q, bad := bind(d, t)
	if bad != nil {
		return nil, bad
	}
	return s.create(id, q)
}

// create registers a new shape and starts its snapshot, in this order: from the
// registration on, the shape is told of every transaction that is read from the
// log.
func (s *Server) create(id string, q *query) (*shape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStopping
	}
	if sh := s.shapes[id]; sh != nil {
		return sh, nil
	}
	ctx, stop := context.WithCancel(s.ctx)
	sp := &spool{memoryBytes: s.cfg.SnapshotMemory, dir: s.cfg.TempDir}
	sh := newShape(s.newHandle(id), id, q, s.cfg.ChunkBytes, sp, stop)
	s.shapes[id] = sh
	s.tables[q.schema.table].add(sh)
	processed := s.processed.all()
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer stop()
		err := s.takeSnapshot(ctx, sh, processed)
		sh.written()
		switch {
		case err == nil:
		case errors.Is(err, errLayoutChanged), errors.Is(err, errRotateAtJoin), ctx.Err() != nil:
			s.retire(sh, nil)
		default:
			s.cfg.Logger.Warn().Err(err).Str("table", q.schema.table.Name).Msg("a snapshot failed")
			s.retire(sh, err)
		}
	}()
	return sh, nil
}

var errStopping = errors.New("the embedded shape server is stopping")

// newHandle makes a handle in Electric's form. The second number grows with
// every handle, so that none is given twice. s.mu is held.
func (s *Server) newHandle(identity string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(identity))
	s.lastMicro = max(s.lastMicro+1, time.Now().UnixMicro())
	const hashRange = 1 << 27 // that of Erlang's phash2, which Electric uses
	return strconv.FormatUint(uint64(h.Sum32()%hashRange), 10) + "-" + strconv.FormatInt(s.lastMicro, 10)
}

// retire takes a shape out of service. Its readers start over.
func (s *Server) retire(sh *shape, failure error) {
	s.mu.Lock()
	if s.shapes[sh.identity] == sh {
		delete(s.shapes, sh.identity)
	}
	s.tables[sh.query.schema.table].remove(sh)
	s.mu.Unlock()
	sh.rotate(failure)
}

func (s *Server) rotateAll() {
	s.mu.RLock()
	all := make([]*shape, 0, len(s.shapes))
	for _, sh := range s.shapes {
		all = append(all, sh)
	}
	s.mu.RUnlock()
	for _, sh := range all {
		s.retire(sh, nil)
	}
}
