package census

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Tables is the number of run tables.
const Tables = 2

// Store looks into the tables, as *runstore.Store does: of the environments asked
// for, each table by itself, it gives those that have runs.
type Store interface {
	EnvironmentsWithRuns(ctx context.Context, asked [Tables][]string) (found [Tables][]string, err error)
}

// Config of a Census.
type Config struct {
	// Store is looked into. Required.
	Store Store
	// Period is how often watched environments are looked for. Default 2 s.
	Period time.Duration
	// Timeout bounds a look. Default 5 s.
	Timeout time.Duration
	// Entries bounds how many environments are remembered that nobody watches.
	// One takes about 200 bytes. Default 100,000.
	Entries int
	// Log gets a line when looking fails.
	Log zerolog.Logger
}

// Census says where environments have runs. It is safe for concurrent use; Close
// ends it.
type Census struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	entries map[string]*entry
	watched map[string]*entry // those with watchers, as long as a table is missing
	idle    int               // entries without watchers
	waiting *look             // the next; nil: nobody asks
	wake    chan struct{}     // has room for one: there is something to do
	failing bool
}

// entry is what is known of an environment.
type entry struct {
	tables   [Tables]bool
	gains    [Tables]chan struct{} // closed once the table is there
	watchers int
}

func (e *entry) whole() bool { return e.tables[0] && e.tables[1] }

// look is one query, for those who wait for it. What it finds is theirs, whatever is
// forgotten meanwhile.
type look struct {
	environments map[string][Tables]bool // written before done is closed
	done         chan struct{}
	err          error // written before done is closed
}

var errClosed = errors.New("the census is closed")

// New makes a Census that knows nothing yet.
func New(c Config) (*Census, error) {
	if c.Store == nil {
		return nil, errors.New("census: Config.Store is missing: give the store of runs")
	}
	if c.Period == 0 {
		c.Period = 2 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Entries == 0 {
		c.Entries = 100_000
	}
	s := &Census{config: c, entries: map[string]*entry{}, watched: map[string]*entry{}, wake: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(s.work)
	return s, nil
}

// Close ends looking. Who waits gets an error.
func (c *Census) Close() {
	c.cancel()
	c.done.Wait()
}

// Has says in which tables the environment has runs, as of this call or later. An
// error says that it could not be found out.
func (c *Census) Has(ctx context.Context, environment string) ([Tables]bool, error) {
	c.mu.Lock()
	if e := c.entries[environment]; e != nil && e.whole() {
		c.mu.Unlock()
		return e.tables, nil
	}
	if c.waiting == nil {
		c.waiting = &look{environments: map[string][Tables]bool{}, done: make(chan struct{})}
	}
	l := c.waiting
	l.environments[environment] = [Tables]bool{}
	c.mu.Unlock()
	c.poke()
	select {
	case <-l.done:
	case <-ctx.Done():
		return [Tables]bool{}, context.Cause(ctx)
	case <-c.ctx.Done():
		return [Tables]bool{}, errClosed
	}
	if l.err != nil {
		return [Tables]bool{}, l.err
	}
	return l.environments[environment], nil
}

// Watch gives a channel for each table, closed once the environment has runs
// there; at once, if that is known. Until release is called it is looked for.
func (c *Census) Watch(environment string) (gains [Tables]<-chan struct{}, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(environment)
	if e.watchers++; e.watchers == 1 {
		c.idle--
	}
	if !e.whole() {
		c.watched[environment] = e
		c.poke()
	}
	for i := range gains {
		gains[i] = e.gains[i]
	}
	return gains, sync.OnceFunc(func() { c.leave(environment, e) })
}

func (c *Census) leave(environment string, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.watchers--; e.watchers > 0 {
		return
	}
	delete(c.watched, environment)
	c.idle++
	c.bound()
}

// entry is that of an environment, made if it is not there. c.mu is held.
func (c *Census) entry(environment string) *entry {
	e := c.entries[environment]
	if e == nil {
		e = &entry{gains: [Tables]chan struct{}{make(chan struct{}), make(chan struct{})}}
		c.entries[environment] = e
		c.idle++
	}
	return e
}

// bound forgets some that nobody watches, if there are too many. c.mu is held.
func (c *Census) bound() {
	if c.idle <= c.config.Entries {
		return
	}
	for environment, e := range c.entries {
		if e.watchers == 0 {
			delete(c.entries, environment)
			if c.idle--; c.idle <= c.config.Entries {
				return
			}
		}
	}
}

func (c *Census) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
