package feeds

import (
	"context"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/merge"
)

// Census says in which tables an environment has runs, as *census.Census does.
type Census interface {
	// Has says it as of the call or later.
	Has(ctx context.Context, environmentID string) ([merge.Sides]bool, error)
	// Watch gives channels that are closed once the environment has runs there,
	// until release is called.
	Watch(environmentID string) (gains [merge.Sides]<-chan struct{}, release func())
}

// missing says that a table of the feed is not opened there.
func (f *Feed) missing(at *cursor.Cursor) bool {
	for i := range f.tables {
		if f.tables[i] && !at.Sides[i].Opened {
			return true
		}
	}
	return false
}

// open opens the tables of the feed where its environment has runs. One is opened
// at least; all, where that cannot be found out. The error is the context's.
func (s *Service) open(ctx context.Context, f *Feed, at *cursor.Cursor) error {
	has := f.tables
	if s.config.Census != nil && f.tables == [merge.Sides]bool{true, true} {
		if found, err := s.config.Census.Has(ctx, f.environment); err == nil {
			has = found
		} else if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	some := false
	for i := range has {
		at.Sides[i].Opened = at.Sides[i].Opened || has[i]
		some = some || at.Sides[i].Opened
	}
	if !some {
		at.Sides[0].Opened = true
	}
	return nil
}
