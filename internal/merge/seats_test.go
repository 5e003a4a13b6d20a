package merge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// swift is an upstream that answers every read at once, and counts them.
type swift struct {
	shapes.Source
	reads atomic.Int64
}

func (s *swift) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	s.reads.Add(1)
	return &shapes.Page{Next: place(1), Schema: schema, Messages: shapes.NewScanner(strings.NewReader("[" + end + "]")), Close: func() error { return nil }}, nil
}

// numbered is one of many feeds of an environment, of both tables or of one.
func numbered(n int, both bool) Request {
	var req Request
	for i, table := range []shapes.Table{shapes.LegacyTable, shapes.V2Table} {
		if both || i == n%Sides {
			req.Definitions[i] = shapes.Define(table, []string{"id"}, shapes.Equal(shapes.EnvironmentColumn, "loud"), shapes.Equal("id", fmt.Sprint(n)))
			req.From[i].Opened = true
		}
	}
	return req
}

// An environment that asks for far more feeds than it may begin gets as many as it may:
// what is refused takes nothing from it, and asks the upstream nothing.
func TestARefusedFeedTakesNothing(t *testing.T) {
	for name, mixed := range map[string]bool{"of both tables": false, "half of them of one": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := &swift{}
				group := flight.New(flight.Config{Source: source})
				defer group.Close()
				m := New(Config{Upstreams: [Sides]*flight.Group{group, group}})
				const during, each = 25 * time.Second, 20 * time.Millisecond
				let, small, shapesOf := 0, 0, map[bool]int{true: 2, false: 1}
				sum := 0
				for n := range int(during / each) {
					for i := range 4 {
						both := !mixed || i%2 == 0
						got, err := m.Next(t.Context(), numbered(4*n+i, both))
						var limited *shapes.Limited
						switch {
						case err == nil:
							got.Close()
							let++
							sum += shapesOf[both]
							small += shapesOf[both] % 2
						case !errors.As(err, &limited):
							t.Fatal(err)
						}
					}
					time.Sleep(each)
				}
				// 250 at once and 25 a second, of which a feed of two takes two.
				if want := 250 + 25*25; sum < want-2 || sum > want+2 || int(source.reads.Load()) != sum {
					t.Errorf("%d shapes in %v, want %d; %d reads", sum, during, want, source.reads.Load())
				}
				if mixed && let-small < let/4 {
					t.Errorf("of %d feeds let in, %d are of both tables", let, let-small)
				}
			})
		})
	}
}
