package merge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// creeping is an upstream whose answers have no rows and always lead a bit further.
type creeping struct {
	*fake
	tx    uint64
	asked []time.Time
}

func (c *creeping) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	c.tx++
	c.asked = append(c.asked, time.Now())
	c.reads = []answer{{body: "[]", next: place(c.tx)}}
	return c.fake.Read(ctx, def, pos)
}

// Who is held while a side gets nowhere is read on for, now and then: the upstream is not
// asked as fast as it answers, and nothing is kept of what it said.
func TestASideThatGetsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &creeping{fake: newFake(), tx: 1}
		groups := [Sides]*flight.Group{flight.New(flight.Config{Source: newFake()}), flight.New(flight.Config{Source: c})}
		defer groups[0].Close()
		defer groups[1].Close()
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		began := time.Now()
		got, err := New(Config{Upstreams: groups}).Next(t.Context(), Request{
			Definitions: [Sides]*shapes.Definition{def, def}, From: bothAt(opened(1, true), opened(1, false)), Hold: hold,
		})
		if err != nil || got.UpToDate || time.Since(began) != hold || len(got.shared) != 0 {
			t.Fatalf("after %s: %+v, %v", time.Since(began), got, err)
		}
		got.Close()
		synctest.Wait()
		if c.open != 0 {
			t.Errorf("%d pages are open", c.open)
		}
		for i := 2; i < len(c.asked); i++ {
			if apart := c.asked[i].Sub(c.asked[i-1]); apart < pace.Least {
				t.Fatalf("reads %d and %d are %s apart", i-1, i, apart)
			}
		}
		if n := len(c.asked); n < 30 || c.asked[1] != c.asked[0] {
			t.Errorf("read %d times, at %v", n, c.asked)
		}
	})
}
