package feeds

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// halting is an upstream that has news that end in the middle of something, and says no
// more of it.
type halting struct{ upstream }

func (h *halting) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	if pos.Offset.Kind == shapes.At {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return h.upstream.Read(ctx, def, pos)
}

func (h *halting) Wait(context.Context, *shapes.Definition, shapes.Position) (*shapes.News, error) {
	return &shapes.News{
		Next:  shapes.Position{Handle: "17-23", Offset: shapes.LogOffset(5, 0)},
		Batch: shapes.Batch{Rows: []byte(`{"key":"1","headers":{"operation":"insert"}}`), Count: 1},
	}, nil
}

// A stream ends when a table has gained its first run, also where its reader is in the
// middle of something and there is nothing to tell.
func TestAStreamInTheMiddleHearsOfATable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, r := &halting{}, &runs{}
		r.set(0, env)
		c, err := census.New(census.Config{Store: r})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		group := flight.New(flight.Config{Source: u})
		defer group.Close()
		s := New(Config{Codec: codec(t, 'k'), Census: c, Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{group, group}})})
		f := tagFeed(t, s, []string{"a"}, time.Hour)
		_, at := next(t, s, f, start)
		stream, err := s.Stream(f, at)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := stream.Next(t.Context())
		if err != nil || batch.UpToDate || stream.Ends() {
			t.Fatalf("%+v, %v", batch, err)
		}
		batch.Close()
		r.set(1, env)
		for n := 0; !stream.Ends(); n++ {
			if batch, err = stream.Within(t.Context(), 5*time.Second); err == nil {
				batch.Close()
			}
			if n == 10 {
				t.Fatalf("it goes on: %v", err)
			}
		}
	})
}
