package feeds

import (
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Feed is something to subscribe to, for one environment. What it is never changes, and
// it may be used for any number of requests at the same time.
type Feed struct {
	environment string
	fingerprint cursor.Fingerprint
	conditions  []shapes.Condition
	columns     []string
	tables      [merge.Sides]bool
	window      time.Duration // of a tag feed; 0: no floor
	unbounded   [merge.Sides]*shapes.Definition
	common      common
}

// DefaultWindow is how far back a tag feed reaches that does not say.
const DefaultWindow = 24 * time.Hour

// MaxQuery is how long a definition may be, in bytes of an upstream's query.
// Electric takes a request line of 10,000; the rest is for the position, the
// path and the secret.
const MaxQuery = 9000

// floorBytes is the most that a floor adds to a definition's query.
const floorBytes = 80

// TooLong says that a feed's definition does not fit an upstream's request.
type TooLong struct{ Bytes int }

func (e *TooLong) Error() string {
	return fmt.Sprintf("the filter takes %d bytes of a request of at most %d: give fewer or shorter tags", e.Bytes, MaxQuery)
}

// Run is the feed of one run, which the caller has found in the environment.
// The id is the row's own, not the friendly one.
func (s *Service) Run(environmentID, id string, skip []string) *Feed {
	f, _ := s.known.get(keyOf("run", environmentID, 0, skip, []string{id}), func() (*Feed, error) {
		return makeRun(environmentID, id, skip), nil
	})
	return f
}

func makeRun(environmentID, id string, skip []string) *Feed {
	f := &Feed{
		environment: environmentID,
		conditions:  []shapes.Condition{shapes.Equal(shapes.EnvironmentColumn, environmentID), shapes.Equal("id", id)},
		columns:     without(skip),
	}
	f.tables[sideOf(runid.Home(id))] = true
	f.identify("run")
	return f
}

// Batch is the feed of the runs of one batch. The id is the row's own.
func (s *Service) Batch(environmentID, id string, skip []string) *Feed {
	f, _ := s.known.get(keyOf("batch", environmentID, 0, skip, []string{id}), func() (*Feed, error) {
		return makeBatch(environmentID, id, skip), nil
	})
	return f
}

func makeBatch(environmentID, id string, skip []string) *Feed {
	f := &Feed{
		environment: environmentID,
		conditions:  []shapes.Condition{shapes.Equal(shapes.EnvironmentColumn, environmentID), shapes.Equal("batchId", id)},
		columns:     without(skip),
		tables:      [merge.Sides]bool{true, true},
	}
	f.identify("batch")
	return f
}

// Tags is the feed of the runs that have all of the tags, or of all runs if
// there are none, made not longer ago than within. nil is DefaultWindow, and the
// configured maximum is the most there is. The error is *TooLong.
func (s *Service) Tags(environmentID string, tags []string, within *time.Duration, skip []string) (*Feed, error) {
	asked := DefaultWindow
	if within != nil {
		asked = *within
	}
	// The handle knows what was asked and not the maximum, which may change
	// while clients go on with the floors that they have.
	asked = windowOf(asked)
	return s.known.get(keyOf("tags", environmentID, asked, skip, tags), func() (*Feed, error) {
		return makeTags(environmentID, tags, asked, s.config.MaxAge, skip)
	})
}

func makeTags(environmentID string, tags []string, asked, most time.Duration, skip []string) (*Feed, error) {
	f := &Feed{
		environment: environmentID,
		conditions:  []shapes.Condition{shapes.Equal(shapes.EnvironmentColumn, environmentID)},
		columns:     without(skip),
		tables:      [merge.Sides]bool{true, true},
	}
	if len(tags) > 0 {
		f.conditions = append(f.conditions, shapes.ContainsAll("runTags", tags))
	}
	f.window = min(asked, most)
	f.identify(fmt.Sprintf("tags %d", asked))
	for _, def := range f.unbounded {
		if n := len(def.Query()) + floorBytes; n > MaxQuery {
			return nil, &TooLong{n}
		}
	}
	return f, nil
}

// sideOf says which side of the merge a table is.
func sideOf(t runid.Table) int {
	if t == runid.V2 {
		return 1
	}
	return 0
}

var tables = [merge.Sides]shapes.Table{shapes.LegacyTable, shapes.V2Table}

// identify sets the fingerprint: everything that says which rows the feed has,
// but not the floor, which a cursor carries.
func (f *Feed) identify(kind string) {
	f.unbounded = f.define(f.conditions)
	h := sha256.New()
	_, _ = io.WriteString(h, kind+"\n")
	for _, def := range f.unbounded {
		if def != nil {
			_, _ = io.WriteString(h, def.Query()+"\n")
		}
	}
	h.Sum(f.fingerprint[:0])
}

// definitions are the shapes of the feed, with this floor.
func (f *Feed) definitions(floor time.Time) [merge.Sides]*shapes.Definition {
	if f.window == 0 {
		return f.unbounded
	}
	return f.common.definitions(floor, func() [merge.Sides]*shapes.Definition {
		return f.define(append(f.conditions[:len(f.conditions):len(f.conditions)], shapes.After("createdAt", floor)))
	})
}

// bytes is about what the feed takes in memory, with what is remembered of it.
func (f *Feed) bytes() int {
	n := 1 << 10
	for _, def := range f.unbounded {
		if def != nil {
			n += 3 * len(def.Query()) // there are floors, but seldom all
		}
	}
	return n
}

func (f *Feed) define(conditions []shapes.Condition) [merge.Sides]*shapes.Definition {
	var defs [merge.Sides]*shapes.Definition
	for i, opened := range f.tables {
		if opened {
			defs[i] = shapes.Define(tables[i], f.columns, conditions...)
		}
	}
	return defs
}
