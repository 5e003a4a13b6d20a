package limits_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/limits"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	goleak.VerifyTestMain(m)
}

// quiet drops what the client library says of connections that tests break.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// Against a model that only counts: never more than the limit, never refused
// below it, environments apart from each other, and nothing remembered at the
// end.
func TestMemoryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m limits.Memory
		type slot struct {
			environment string
			release     func()
			released    bool
		}
		var slots []*slot
		taken := map[string]int{}
		environment := rapid.SampledFrom([]string{"a", "b", "c"})
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) {
				env, limit := environment.Draw(t, "environment"), rapid.IntRange(-1, 4).Draw(t, "limit")
				release, ok := m.Acquire(t.Context(), env, limit)
				if want := taken[env] < limit; ok != want {
					t.Fatalf("%d of %d taken, and Acquire says %v", taken[env], limit, ok)
				}
				if (release != nil) != ok {
					t.Fatalf("ok is %v, and release is nil: %v", ok, release == nil)
				}
				if ok {
					taken[env]++
					slots = append(slots, &slot{env, release, false})
				}
			},
			"release": func(t *rapid.T) { // any of them, also one released before
				if len(slots) == 0 {
					return
				}
				s := rapid.SampledFrom(slots).Draw(t, "slot")
				s.release()
				if !s.released {
					s.released = true
					taken[s.environment]--
				}
			},
			"": func(t *rapid.T) {
				for _, env := range []string{"a", "b", "c"} {
					if got := m.Taken(env); got != taken[env] {
						t.Fatalf("%s: %d taken, want %d", env, got, taken[env])
					}
				}
			},
		})
		for _, s := range slots {
			s.release()
		}
		if n := m.Environments(); n != 0 {
			t.Fatalf("%d environments are remembered after every slot was given back", n)
		}
	})
}

func TestMemoryConcurrently(t *testing.T) {
	const limit, askers = 10, 200
	var (
		m        limits.Memory
		wg       sync.WaitGroup
		granted  atomic.Int64
		releases = make(chan func(), askers)
	)
	for range askers {
		wg.Go(func() {
			if release, ok := m.Acquire(t.Context(), "env", limit); ok {
				granted.Add(1)
				releases <- release
			}
		})
	}
	wg.Wait()
	close(releases)
	if granted.Load() != limit {
		t.Errorf("%d of %d askers got a slot, want %d", granted.Load(), askers, limit)
	}
	for release := range releases {
		wg.Go(release)
		wg.Go(release) // twice, and at the same time
	}
	wg.Wait()
	if n := m.Taken("env"); n != 0 {
		t.Errorf("%d slots are taken after all were given back", n)
	}
}
