package orgflags

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
)

// Name is the flag, as the platform's tables have it.
const Name = "runTableV2"

// channel is what changes are told on; the payload is an organization's id.
const channel = "realtime_gw_org_flags"

// Config of Flags.
type Config struct {
	// Pool is the primary database. One of its connections is kept to listen on.
	// Required.
	Pool *pgxpool.Pool

	// Period is how often all flags are read again. Default 10 s.
	Period time.Duration

	// Timeout bounds a read. Default 5 s.
	Timeout time.Duration

	// Log gets a line when the flags cannot be read.
	Log zerolog.Logger
}

// Flags are the organizations' flags. They are safe for concurrent use; Close ends
// them.
type Flags struct {
	config Config
	on     atomic.Pointer[map[string]bool] // never changed, only replaced

	mu      sync.Mutex // held by who replaces on
	failing bool       // only work looks at it

	cancel context.CancelFunc
	done   chan struct{}
}

// Open reads the flags, and follows them from then on.
func Open(ctx context.Context, c Config) (*Flags, error) {
	if c.Pool == nil {
		return nil, errors.New("orgflags: Config.Pool is nil: give a pool on the primary database")
	}
	if c.Period <= 0 {
		c.Period = 10 * time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	f := &Flags{config: c, done: make(chan struct{})}
	if err := f.readAll(ctx, c.Pool); err != nil {
		return nil, err
	}
	working, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go f.work(working)
	return f, nil
}

// Close ends following.
func (f *Flags) Close() {
	f.cancel()
	<-f.done
}

// RunTableV2 says whether new runs of an organization go to task_run_v2. It answers
// from memory.
func (f *Flags) RunTableV2(organizationID string) bool { return (*f.on.Load())[organizationID] }

// querier is a pool or one connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// isOn is a condition on a row of "Organization". A column that holds no object has
// no members.
const isOn = `"featureFlags" -> '` + Name + `' = 'true'::jsonb`

// readAll replaces what is known by what the database says.
func (f *Flags) readAll(ctx context.Context, db querier) error {
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	f.mu.Lock() // or an answer could put an older one in the place of a newer
	defer f.mu.Unlock()
	rows, err := db.Query(ctx, `SELECT id FROM public."Organization" WHERE `+isOn)
	if err != nil {
		return fmt.Errorf("orgflags: read the organizations' flags: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("orgflags: read the organizations' flags: %w", err)
	}
	on := make(map[string]bool, len(ids))
	for _, id := range ids {
		on[id] = true
	}
	f.on.Store(&on)
	return nil
}

// readOne learns one organization's flag anew.
func (f *Flags) readOne(ctx context.Context, db querier, organizationID string) error {
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	rows, err := db.Query(ctx, `SELECT id FROM public."Organization" WHERE id = $1 AND `+isOn, organizationID)
	if err != nil {
		return fmt.Errorf("orgflags: read an organization's flag: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("orgflags: read an organization's flag: %w", err)
	}
	was := *f.on.Load()
	if was[organizationID] == (len(ids) > 0) {
		return nil
	}
	on := maps.Clone(was)
	delete(on, organizationID)
	if len(ids) > 0 {
		on[organizationID] = true
	}
	f.on.Store(&on)
	return nil
}
