package limits_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
)

// Against a model that is a list: several gateways and the platform take and
// give back slots of one set, time passes, and nobody is refused below the limit
// or let in beyond it.
func TestRedisModel(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	var round, members int
	rapid.Check(t, func(t *rapid.T) {
		round++
		env, now, ctx := fmt.Sprint("env_", round), newClock(), context.Background()
		set := "tr:realtime:concurrency:" + env
		gateways := []*limits.Redis{nil, nil}
		for i := range gateways {
			r, err := limits.NewRedis(limits.RedisConfig{URL: s.URL(), Now: now.now, Wait: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close(ctx)
			gateways[i] = r
		}
		var taken []time.Time // the moments of slots that are never given back
		t.Repeat(map[string]func(*rapid.T){
			"gateway": func(t *rapid.T) {
				limit := rapid.IntRange(-1, 5).Draw(t, "limit")
				_, ok := gateways[rapid.IntRange(0, 1).Draw(t, "gateway")].Acquire(ctx, env, limit)
				taken = alive(taken, now.now())
				if want := len(taken) < limit; ok != want {
					t.Fatalf("%d of %d taken, and Acquire says %v", len(taken), limit, ok)
				}
				if ok {
					taken = append(taken, now.now())
				}
			},
			"platform": func(t *rapid.T) {
				members++
				member := redis.Z{Score: float64(now.now().UnixMilli()), Member: fmt.Sprint("platform ", members)}
				if err := c.ZAdd(ctx, set, member).Err(); err != nil {
					t.Fatal(err)
				}
				taken = append(taken, now.now())
			},
			"time": func(t *rapid.T) {
				now.advance(time.Duration(rapid.SampledFrom([]int{1, 1000, 149_999, 299_999, 300_000}).Draw(t, "ms")) * time.Millisecond)
			},
		})
	})
}

// alive are the moments that are less than 300 seconds ago.
func alive(taken []time.Time, now time.Time) (still []time.Time) {
	for _, at := range taken {
		if now.Sub(at) < 300*time.Second {
			still = append(still, at)
		}
	}
	return still
}
