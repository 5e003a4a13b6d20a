package lookup

import (
	"context"
	"errors"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/memo"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// How long an answer is given again.
const (
	foundFor   = 5 * time.Second
	missingFor = time.Second
)

// DefaultEntries is how many runs are remembered, and how many batches, when
// nothing else is configured. One takes up about half a kilobyte.
const DefaultEntries = 20_000

// Store finds runs and batches, as *runstore.Store does. What is not there is
// runstore.ErrNotFound.
type Store interface {
	FindRefByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (runstore.Ref, error)
	FindBatchByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (runstore.Batch, error)
}

// Config of a Finder.
type Config struct {
	// Store is asked for what is not remembered. Required.
	Store Store

	// Entries bounds how many runs are remembered, how many batches, and how
	// many of each that do not exist. Default DefaultEntries.
	Entries int
}

// Finder is a Store in front of a Store. It is safe for concurrent use.
type Finder struct {
	store   Store
	runs    *memo.Memo[question, runstore.Ref]
	batches *memo.Memo[question, runstore.Batch]
}

var _ Store = (*Finder)(nil)

// question is what is asked: the same id in another environment is another.
type question struct {
	environmentID string
	id            runid.Friendly
}

// New makes a Finder that knows nothing yet.
func New(c Config) (*Finder, error) {
	if c.Store == nil {
		return nil, errors.New("lookup: Config.Store is missing: give the store of runs")
	}
	if c.Entries <= 0 {
		c.Entries = DefaultEntries
	}
	remember := memo.Config{
		Entries: c.Entries, Value: foundFor, Absence: missingFor,
		IsAbsence: func(err error) bool { return errors.Is(err, runstore.ErrNotFound) },
	}
	return &Finder{
		store:   c.Store,
		runs:    memo.New[question, runstore.Ref](remember),
		batches: memo.New[question, runstore.Batch](remember),
	}, nil
}

// Counts is how often the Finder was asked, by what it was asked for.
func (f *Finder) Counts() map[string]memo.Counts {
	return map[string]memo.Counts{"run": f.runs.Counts(), "batch": f.batches.Counts()}
}

// FindRefByFriendlyID finds a run, or runstore.ErrNotFound. Its slices are
// shared with others who found it, and must not be changed.
func (f *Finder) FindRefByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (runstore.Ref, error) {
	return f.runs.Get(ctx, question{environmentID, id}, func(ctx context.Context, q question) (runstore.Ref, error) {
		return f.store.FindRefByFriendlyID(ctx, q.environmentID, q.id)
	})
}

// FindBatchByFriendlyID finds a batch, or runstore.ErrNotFound. RunIDs is left
// out: a batch may have thousands, and memory is bounded by the number of
// batches.
func (f *Finder) FindBatchByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (runstore.Batch, error) {
	return f.batches.Get(ctx, question{environmentID, id}, func(ctx context.Context, q question) (runstore.Batch, error) {
		batch, err := f.store.FindBatchByFriendlyID(ctx, q.environmentID, q.id)
		batch.RunIDs = nil
		return batch, err
	})
}
