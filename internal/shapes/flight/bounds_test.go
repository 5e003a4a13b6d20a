package flight

import (
	"testing"
	"testing/synctest"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// outOfBounds has the upstream say that a place is beyond its log.
func outOfBounds(t *testing.T, s *script, g *Group, tx uint64) *shapes.Rotated {
	t.Helper()
	how := &shapes.Rotated{OutOfBounds: true}
	ticket := g.Join(def, at(tx))
	defer ticket.Leave()
	s.one(t).reply <- reply{err: how}
	if !landed(ticket) {
		t.Fatal("not landed")
	}
	return how
}

// That a place was out of bounds is nothing to those whom an answer sends there, or beyond
// it: the log has grown. One who asked for a place that never was would have all others
// start over, again and again.
func TestOutOfBoundsUntilTheLogIsThere(t *testing.T) {
	for name, grow := range map[string]func(t *testing.T, s *script, g *Group, to uint64){
		"news": func(t *testing.T, s *script, g *Group, to uint64) { land(t, s, g, at(6), at(to), "a") },
		"a page": func(t *testing.T, s *script, g *Group, to uint64) {
			go func() {
				if page, err := g.Read(t.Context(), def, at(6)); err == nil {
					_ = page.Close()
				}
			}()
			s.one(t).reply <- reply{page: page(to, "[]")}
			synctest.Wait()
		},
		"the beginning": func(t *testing.T, s *script, g *Group, to uint64) {
			go func() {
				if page, err := g.Read(t.Context(), def, shapes.Position{}); err == nil {
					_ = page.Close()
				}
			}()
			s.one(t).reply <- reply{page: page(to, "[]")}
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *script, g *Group) {
				how := outOfBounds(t, s, g, 9)
				grow(t, s, g, 8)
				isGone(t, s, g, at(9), how)
			})
			inBubble(t, func(t *testing.T, s *script, g *Group) {
				outOfBounds(t, s, g, 9)
				grow(t, s, g, 12)
				for _, tx := range []uint64{9, 12} {
					if got := told(t, s, g, at(tx)); got != "" {
						t.Errorf("at %d: %q", tx, got)
					}
				}
			})
		})
	}
}

// Of other places it says nothing: that the log goes there another process may have heard.
func TestOutOfBoundsIsOnePlace(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		outOfBounds(t, s, g, 9)
		for _, tx := range []uint64{8, 10} {
			if got := told(t, s, g, at(tx)); got != "" {
				t.Errorf("at %d: %q", tx, got)
			}
		}
		how := outOfBounds(t, s, g, 7)
		isGone(t, s, g, at(7), how)
	})
}

// What comes before a place that is out of bounds is remembered as ever: otherwise one who
// asks for a place that never was would have each of the others cost a call.
func TestOutOfBoundsLeavesTheRingToOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		outOfBounds(t, s, g, 9)
		land(t, s, g, at(5), at(6), "a")
		if got := told(t, s, g, at(5)); got != "a 1 6_0 true" {
			t.Errorf("%q", got)
		}
	})
}
