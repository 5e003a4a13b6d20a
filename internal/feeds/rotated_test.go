package feeds

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// uneven has news of the legacy table that it does not complete, and rotates v2's shape.
type uneven struct {
	upstream
	rotate chan struct{} // closed: now
}

func (u *uneven) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	if pos.Offset.Kind == shapes.At {
		return nil, &shapes.Unavailable{Err: errors.New("the rest of a transaction is not there yet")}
	}
	return u.upstream.Read(ctx, def, pos)
}

func (u *uneven) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	rotate := u.rotate
	if def.Table() == shapes.LegacyTable {
		if pos.Offset.Kind != shapes.At {
			return &shapes.News{
				Next:  shapes.Position{Handle: pos.Handle, Offset: shapes.LogOffset(5, 0)},
				Batch: shapes.Batch{Rows: []byte(`{"key":"1","headers":{"operation":"insert"}}`), Count: 1},
			}, nil
		}
		rotate = nil
	}
	select {
	case <-rotate:
		return nil, &shapes.Rotated{}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Who streams moves only when it is up to date. If one side has news that end in the middle
// of something, and the other is rotated, a stream is cut before it has moved its reader:
// the next one must not begin with the same news again, but say that it has to start over.
func TestAStreamHearsOfARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &uneven{rotate: make(chan struct{})}
		group := flight.New(flight.Config{Source: u})
		defer group.Close()
		s := New(Config{Codec: codec(t, 'k'), Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{group, group}})})
		f := tagFeed(t, s, []string{"a"}, time.Hour)
		_, at := next(t, s, f, start)
		for n := 1; ; n++ {
			var refetch *MustRefetch
			stream, err := s.Stream(f, at)
			if err != nil {
				t.Fatal(err)
			}
			batch, err := stream.Next(t.Context())
			if errors.As(err, &refetch) {
				break
			}
			if err != nil || n == 3 {
				t.Fatalf("stream %d begins with %+v, %v", n, batch, err)
			}
			batch.Close()
			if n == 1 {
				close(u.rotate)
			}
			for !errors.As(err, &refetch) { // a fault is silence
				if batch, err = stream.Within(t.Context(), time.Second); err == nil {
					if batch.UpToDate {
						t.Fatalf("stream %d is up to date", n)
					}
					batch.Close()
				}
			}
		}
	})
}
