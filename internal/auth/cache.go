package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/memo"
)

// How long a Cache gives an answer again.
const (
	foundFor   = 30 * time.Second
	unknownFor = time.Second
)

// DefaultEntries is how many answers of a kind a Cache holds when nothing else
// is configured. One takes up about half a kilobyte.
const DefaultEntries = 10_000

// Source is what a Cache stands in front of, such as a PostgresDirectory.
type Source interface {
	Directory
	Branches
	Rereader
}

// CacheConfig says what a Cache works with.
type CacheConfig struct {
	// Source is asked for what is not remembered. Required.
	Source Source

	// Entries bounds how many environments are remembered by id, how many by
	// key and how many as branches, and as many again of each that are
	// unknown. Default DefaultEntries.
	Entries int
}

// Cache is a Directory in front of another, so that a poll costs no query. What
// was found is given again for 30 seconds, that something is unknown for one,
// and a failure never. It is safe for concurrent use.
type Cache struct {
	source   Source
	byID     *memo.Memo[string, *Entry]
	reread   *memo.Memo[string, *Entry]
	byKey    *memo.Memo[digest, *Entry]
	branches *memo.Memo[branchID, *Environment]
}

var (
	_ Source     = (*Cache)(nil)
	_ Rememberer = (*Cache)(nil)
)

// digest stands for a key, so that texts that open nothing are not kept.
type digest [sha256.Size]byte

type branchID struct{ parentID, name string }

// NewCache makes a Cache that knows nothing yet. It fails only for a
// CacheConfig without a Source.
func NewCache(c CacheConfig) (*Cache, error) {
	if c.Source == nil {
		return nil, errors.New("auth: CacheConfig.Source is missing: give the directory to remember")
	}
	if c.Entries <= 0 {
		c.Entries = DefaultEntries
	}
	long := memo.Config{
		Entries: c.Entries, Value: foundFor, Absence: unknownFor,
		IsAbsence: func(err error) bool { return errors.Is(err, ErrUnknown) },
	}
	short := long
	short.Value = unknownFor // all it keeps off is a flood of forged tokens
	return &Cache{
		source:   c.Source,
		byID:     memo.New[string, *Entry](long),
		reread:   memo.New[string, *Entry](short),
		byKey:    memo.New[digest, *Entry](long),
		branches: memo.New[branchID, *Environment](long),
	}, nil
}

// Counts is how often the Cache was asked, by what it was asked for.
func (c *Cache) Counts() map[string]memo.Counts {
	return map[string]memo.Counts{
		"environment_by_id": c.byID.Counts(), "environment_by_id_again": c.reread.Counts(),
		"environment_by_key": c.byKey.Counts(), "branch": c.branches.Counts(),
	}
}

// EnvironmentByID finds the environment with this id, or ErrUnknown.
func (c *Cache) EnvironmentByID(ctx context.Context, id string) (*Entry, error) {
	return c.byID.Get(ctx, id, c.source.EnvironmentByID)
}

// Remembered is EnvironmentByID, where that would not have to ask.
func (c *Cache) Remembered(id string) (*Entry, bool) { return c.byID.Known(id) }

// RereadEnvironmentByID is EnvironmentByID, at most a second old. It asks the
// source at most once in a second for each environment.
func (c *Cache) RereadEnvironmentByID(ctx context.Context, id string) (*Entry, error) {
	return c.reread.Get(ctx, id, c.source.RereadEnvironmentByID)
}

// EnvironmentByKey finds the environment that this key opens, or ErrUnknown.
func (c *Cache) EnvironmentByKey(ctx context.Context, key Key) (*Entry, error) {
	return c.byKey.Get(ctx, sha256.Sum256([]byte(string(key))), func(ctx context.Context, _ digest) (*Entry, error) {
		return c.source.EnvironmentByKey(ctx, key)
	})
}

// BranchEnvironment finds the environment of a branch, or ErrUnknown.
func (c *Cache) BranchEnvironment(ctx context.Context, parentID, name string) (*Environment, error) {
	return c.branches.Get(ctx, branchID{parentID, name}, func(ctx context.Context, b branchID) (*Environment, error) {
		return c.source.BranchEnvironment(ctx, b.parentID, b.name)
	})
}
