package embedded

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// TestUse: whoever reads, or has read in the last minute, is remembered with the
// place to which they may come back; three minutes later nothing is.
func TestUse(t *testing.T) {
	type visit struct {
		at   shapes.Offset
		left time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		const keep = time.Minute
		now := time.Unix(1e9, 0)
		u := newUse(keep, now)
		type guest struct {
			a  *answer
			at shapes.Offset
		}
		var inside []guest
		visits := []visit{{shapes.LogOffset(1<<40, 0), now}} // it was made: in use, and nothing is needed
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
			at := shapes.LogOffset(rapid.Uint64Range(1, 20).Draw(t, "at"), 0)
			if rapid.Bool().Draw(t, "enter") {
				a := &answer{}
				u.enter(a, at)
				inside = append(inside, guest{a, at})
			} else if len(inside) > 0 {
				i := rapid.IntRange(0, len(inside)-1).Draw(t, "who")
				u.leave(inside[i].a, now)
				u.leave(inside[i].a, now)
				visits = append(visits, visit{inside[i].at, now})
				inside = slices.Delete(inside, i, i+1)
			}
			if got, want := u.idle(now), len(inside) == 0 && now.Sub(visits[len(visits)-1].left) >= keep; got != want {
				t.Fatalf("idle is %v", got)
			}
			must, may := false, false
			for _, g := range inside {
				must = must || g.at.Compare(at) < 0
			}
			may = must
			for _, v := range visits {
				if age := now.Sub(v.left); v.at.Compare(at) < 0 {
					must = must || age < keep
					may = may || age < 3*keep
				}
			}
			if got := u.needs(at, now); got && !may || !got && must {
				t.Fatalf("needs %s is %v, of %v and %v", at, got, inside, visits)
			}
		}
	})
}
