package feeds

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	env   = "env_ours"
	other = "env_theirs"
)

// upstream is a shapes.Source that answers every read with an empty shape, and
// holds every wait. It remembers what it was asked.
type upstream struct {
	mu    sync.Mutex
	asked []url.Values
	err   error // answers everything, if set
}

func (u *upstream) note(def *shapes.Definition) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	q, err := url.ParseQuery(def.Query())
	if err != nil {
		panic(err)
	}
	u.asked = append(u.asked, q)
	return u.err
}

// fail answers everything from now on with err; nil: as usual.
func (u *upstream) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = err
}

// take gives the questions since the last take.
func (u *upstream) take() []url.Values {
	u.mu.Lock()
	defer u.mu.Unlock()
	asked := u.asked
	u.asked = nil
	return asked
}

func (u *upstream) Read(_ context.Context, def *shapes.Definition, _ shapes.Position) (*shapes.Page, error) {
	if err := u.note(def); err != nil {
		return nil, err
	}
	return &shapes.Page{
		Next:     shapes.Position{Handle: "17-23", Offset: shapes.SnapshotEnd},
		Schema:   `{"id":{"type":"text"}}`,
		Messages: shapes.NewScanner(strings.NewReader(`[{"headers":{"control":"up-to-date"}}]`)),
		Close:    func() error { return nil },
	}, nil
}

func (u *upstream) Wait(ctx context.Context, def *shapes.Definition, _ shapes.Position) (*shapes.News, error) {
	if err := u.note(def); err != nil {
		return nil, err
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// newService makes a Service over u; every one of them has the same key unless
// the test brings a codec.
func newService(t *testing.T, u *upstream, c Config) *Service {
	t.Helper()
	group := flight.New(flight.Config{Source: u})
	t.Cleanup(group.Close)
	c.Merger = merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{group, group}})
	if c.Codec == nil {
		c.Codec = codec(t, 'k')
	}
	return New(c)
}

func codec(t *testing.T, key byte) *cursor.Codec {
	t.Helper()
	c, err := cursor.NewCodec(bytes.Repeat([]byte{key}, cursor.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tagFeed is a feed of tags that must be possible.
func tagFeed(t *testing.T, s *Service, tags []string, within time.Duration, skip ...string) *Feed {
	t.Helper()
	f, err := s.Tags(env, tags, &within, skip)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var start = Place{Offset: "-1"}

// next asks for a batch that must come, and gives the place after it.
func next(t *testing.T, s *Service, f *Feed, p Place) (*Batch, Place) {
	t.Helper()
	b, err := s.Next(t.Context(), f, p, false)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	return b, Place{Handle: b.Handle, Offset: b.Offset, Cursor: b.Cursor}
}
