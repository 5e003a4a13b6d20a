package flight

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// A flight that lands says how many waited for it; one that nobody waits for any more
// says nothing, and is not in the air.
func TestLandedAndInAir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newScript()
		var landed []int
		g := New(Config{Source: source, Linger: time.Second, Landed: func(waiters int) { landed = append(landed, waiters) }})
		defer g.Close()
		def := shapes.Define(shapes.V2Table, []string{"id"})
		here, there := shapes.Position{Handle: "h", Offset: shapes.LogOffset(1, 0)}, shapes.Position{Handle: "h", Offset: shapes.LogOffset(2, 0)}
		for range 3 {
			defer g.Join(def, here).Leave()
		}
		g.Join(def, there).Leave()
		calls := source.pending()
		if n := g.Stats().InAir; n != 2 || len(calls) != 2 {
			t.Fatalf("%d in the air, %d calls", n, len(calls))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := g.Stats().InAir; n != 1 || len(landed) != 0 {
			t.Errorf("%d in the air, landed with %v", n, landed)
		}
		for _, c := range calls {
			c.reply <- reply{news: &shapes.News{Next: there, Batch: shapes.Batch{Rows: []byte(`{}`), Count: 1, UpToDate: true}}}
		}
		synctest.Wait()
		if n := g.Stats().InAir; n != 0 || !slices.Equal(landed, []int{3}) {
			t.Errorf("%d in the air, landed with %v", n, landed)
		}
	})
}
