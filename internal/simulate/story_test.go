package simulate

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

func drawStory(t *rapid.T) *story {
	return write(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
}

// The order in which a run may be changed: what may follow an action.
var follows = map[action][]action{
	create:   {lock, cancel, expire},
	lock:     {start},
	start:    {progress, succeed},
	progress: {progress, pushTag, retry, succeed, fail, cancel},
	pushTag:  {progress},
	retry:    {requeue},
	requeue:  {lock},
}

func TestStoriesMakeSense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t)
		if !slices.IsSortedFunc(s.beats, func(a, b beat) int { return int(a.at - b.at) }) {
			t.Fatal("the beats are not in order")
		}
		if s.end() > 25*time.Second || s.end() < 500*time.Millisecond {
			t.Fatalf("it takes %v", s.end())
		}
		began, ended := map[int]time.Duration{}, map[int]time.Duration{}
		last := map[int]action{}
		for _, b := range s.beats {
			if b.run < 0 {
				continue
			}
			before, seen := last[b.run]
			if !seen && b.do != create || seen && !slices.Contains(follows[before], b.do) {
				t.Fatalf("run %d: action %d after %d (begun: %v)", b.run, b.do, before, seen)
			}
			if b.do == create {
				began[b.run] = b.at
				if s.batch && b.at == 0 {
					t.Fatal("a run is there before its batch")
				}
			}
			if b.do.final() {
				ended[b.run] = b.at
			}
			if (b.do == expire) != (s.roles[b.run].ttl != "") && b.do.final() {
				t.Fatalf("run %d has TTL %q and ends by action %d", b.run, s.roles[b.run].ttl, b.do)
			}
			last[b.run] = b.do
		}
		for i, c := range s.roles {
			if _, ok := ended[i]; !ok {
				t.Fatalf("run %d never ends", i)
			}
			if life := ended[i] - began[i]; life > 12*time.Second && c.parent >= 0 {
				t.Fatalf("run %d lives for %v", i, life)
			}
			if p := c.parent; p >= 0 && (began[i] < began[p] || ended[i] > ended[p]) {
				t.Fatalf("child %d is there when its parent is not", i)
			}
		}
		if s.batch {
			first, final := s.beats[0], s.beats[len(s.beats)-1]
			if first.do != openBatch || final.do != closeBatch {
				t.Fatalf("the batch begins with %d and ends with %d", first.do, final.do)
			}
		}
	})
}

func TestStoriesSpanTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t)
		tables := map[runid.Table]bool{}
		for _, c := range s.roles {
			tables[c.table] = true
		}
		if len(s.roles) > 1 && len(tables) != 2 {
			t.Fatalf("%d runs, all in one table", len(s.roles))
		}
	})
}

func TestStoriesRepeat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		tell := func() *story { return write(rand.New(rand.NewPCG(seed, 1))) }
		if !reflect.DeepEqual(tell(), tell()) {
			t.Fatal("the same seed told two stories")
		}
	})
}

// Everything that the package promises to show does come up.
func TestStoriesHaveVariety(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	did := map[action]int{}
	batches, children, tagged := 0, 0, 0
	for range 300 {
		s := write(r)
		for _, b := range s.beats {
			did[b.do]++
		}
		if s.batch {
			batches++
		}
		for _, c := range s.roles {
			if c.parent >= 0 {
				children++
			}
			if slices.Contains(c.tags, Tag) {
				tagged++
			}
		}
	}
	for a := create; a <= closeBatch; a++ {
		if did[a] == 0 {
			t.Errorf("action %d never happens", a)
		}
	}
	if batches == 0 || children == 0 || tagged == 0 {
		t.Errorf("%d batches, %d children, %d tagged", batches, children, tagged)
	}
}
