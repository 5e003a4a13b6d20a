package claims_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
)

func open(t *testing.T, s *redistest.Server) *claims.Redis {
	t.Helper()
	r, err := claims.NewRedis(claims.RedisConfig{URL: s.URL(), Wait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// each runs a test on both kinds.
func each(t *testing.T, test func(t *testing.T, c claims.Claims)) {
	t.Run("memory", func(t *testing.T) { test(t, &claims.Memory{}) })
	t.Run("redis", func(t *testing.T) { test(t, open(t, redistest.Start(t))) })
}

var (
	key   = claims.ForKey("env", "task", "key")
	token = claims.ForToken("token")
)

// asks says what a claim of the slot by an owner gives.
func asks(t *testing.T, c claims.Claims, slot claims.Slot, owner string, want claims.Answer) {
	t.Helper()
	if got, err := c.Claim(t.Context(), slot, owner, time.Minute); err != nil || got != want {
		t.Errorf("%s is told %+v, %v, want %+v", owner, got, err, want)
	}
}

// publishes publishes a run, and says whether the slot has to have been its owner's.
func publishes(t *testing.T, c claims.Claims, slot claims.Slot, owner, run string, ttl time.Duration, want bool) {
	t.Helper()
	if ours, err := c.Publish(t.Context(), slot, owner, run, ttl); err != nil || ours != want {
		t.Errorf("%s publishes %s: %v, %v, want %v", owner, run, ours, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	claimed = claims.Answer{State: claims.Claimed}
	pending = claims.Answer{State: claims.Pending}
)

func resolved(run string) claims.Answer { return claims.Answer{State: claims.Resolved, Run: run} }

// The life of a slot: one has it, others wait, a run comes of it or not.
func TestLife(t *testing.T) {
	each(t, func(t *testing.T, c claims.Claims) {
		ctx := t.Context()
		for _, slot := range []claims.Slot{key, token} {
			asks(t, c, slot, "a", claimed)
			asks(t, c, slot, "a", claimed) // its answer was lost
			asks(t, c, slot, "b", pending)
			must(t, c.Release(ctx, slot, "b"))
			publishes(t, c, slot, "b", "run_b", time.Minute, false)
			must(t, c.Forget(ctx, slot, "run_b"))
			asks(t, c, slot, "b", pending)
			must(t, c.Release(ctx, slot, "a"))
			asks(t, c, slot, "b", claimed)
			publishes(t, c, slot, "a", "run_a", time.Minute, false) // too late
			publishes(t, c, slot, "b", "run_b", time.Minute, true)
			publishes(t, c, slot, "b", "run_b", time.Minute, true) // its answer was lost
			asks(t, c, slot, "a", resolved("run_b"))
			asks(t, c, slot, "b", resolved("run_b"))
			must(t, c.Release(ctx, slot, "b"))
			must(t, c.Forget(ctx, slot, "run_a"))
			asks(t, c, slot, "a", resolved("run_b"))
			must(t, c.Forget(ctx, slot, "run_b"))
			publishes(t, c, slot, "b", "run_b", time.Minute, false) // it is nobody's
			asks(t, c, slot, "a", claimed)
		}
	})
}

// A slot is over after its time, claimed or published.
func TestTime(t *testing.T) {
	each(t, func(t *testing.T, c claims.Claims) {
		until := func(owner string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for tick := time.NewTicker(time.Millisecond); ; {
				answer, err := c.Claim(ctx, key, owner, time.Minute)
				must(t, err)
				if answer.State == claims.Claimed {
					tick.Stop()
					return
				}
				<-tick.C
			}
		}
		_, err := c.Claim(t.Context(), key, "a", 30*time.Millisecond)
		must(t, err)
		until("b")
		publishes(t, c, key, "a", "run_a", time.Minute, false) // its claim is over
		asks(t, c, key, "c", pending)
		publishes(t, c, key, "b", "run_b", 30*time.Millisecond, true)
		until("c")
	})
}

// Of many at once one has the slot.
func TestOneOfMany(t *testing.T) {
	each(t, func(t *testing.T, c claims.Claims) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		states := map[claims.State]int{}
		for i := range 100 {
			wg.Go(func() {
				answer, err := c.Claim(t.Context(), key, fmt.Sprint(i), time.Minute)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				states[answer.State]++
			})
		}
		wg.Wait()
		if states[claims.Claimed] != 1 || states[claims.Pending] != 99 {
			t.Errorf("%v", states)
		}
	})
}

// A reset takes out what was published, and leaves who is at work.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, c claims.Claims) {
		asks(t, c, key, "a", claimed)
		if buffered, err := c.Reset(t.Context(), key); buffered || err != nil {
			t.Errorf("%v, %v", buffered, err)
		}
		asks(t, c, key, "b", pending)
		publishes(t, c, key, "a", "run_a", time.Minute, true)
		_, err := c.Reset(t.Context(), key)
		must(t, err)
		asks(t, c, key, "b", claimed)
		if _, ok, err := c.Buffered(t.Context(), key); ok || err != nil {
			t.Errorf("something is buffered: %v", err)
		}
	})
}

// No two slots have one name, whatever they are made of.
func TestNames(t *testing.T) {
	c := &claims.Memory{}
	for i, slot := range []claims.Slot{
		claims.ForKey("a", "b", "c"), claims.ForKey("a:b", "c", ""), claims.ForKey("a", "b:c", ""), claims.ForKey("a", "", "b:c"), claims.ForKey("", "a", "b:c"),
		claims.ForKey("a", "b", "c\x00"), claims.ForKey("a", "b", "\xff"), claims.ForKey("a", "b", strings.Repeat("c", 10_000)), claims.ForToken("c"), claims.ForToken(""),
	} {
		if answer, _ := c.Claim(t.Context(), slot, "a", time.Minute); answer.State != claims.Claimed {
			t.Errorf("%d: %+v", i, answer)
		}
		publishes(t, c, slot, "a", "run_a", time.Minute, true)
	}
}

// names are the platform's, for env, task and key.
const (
	claimName  = "mollifier:claim:ZW52:dGFzaw:a2V5"
	lookupName = "mollifier:idempotency:ZW52:dGFzaw:a2V5"
)

// What is in Redis is what the platform puts there, and what the platform puts
// there is understood.
func TestSharedWithThePlatform(t *testing.T) {
	s := redistest.Start(t)
	db, c, ctx := s.Client(t), open(t, s), t.Context()
	if text := fmt.Sprintf("%#v", c); strings.Contains(text, redistest.Password) {
		t.Errorf("printed, it shows the password: %s", text)
	}
	says := func(want string) {
		t.Helper()
		got, err := db.Get(ctx, claimName).Result()
		if err != nil || got != want {
			t.Errorf("%s says %q, %v, want %q", claimName, got, err, want)
		}
		if left := db.PTTL(ctx, claimName).Val(); left <= 50*time.Second || left > time.Minute {
			t.Errorf("it lives for %v", left)
		}
	}
	asks(t, c, key, "a", claimed)
	says("pending:a")
	publishes(t, c, key, "a", "run_1", time.Minute, true)
	says("run_1")
	must(t, db.Set(ctx, claimName, "pending:6f1c", time.Minute).Err())
	asks(t, c, key, "a", pending)
	must(t, db.Set(ctx, claimName, "run_theirs", time.Minute).Err())
	asks(t, c, key, "a", resolved("run_theirs"))
	if keys := db.Keys(ctx, "*").Val(); len(keys) != 1 {
		t.Errorf("keys %q", keys)
	}
	asks(t, c, token, "a", claimed)
	if name := "realtime-gw:claim:token:" + base64.RawURLEncoding.EncodeToString([]byte("token")); db.Exists(ctx, name).Val() != 1 {
		t.Errorf("there is no %s in %q", name, db.Keys(ctx, "*").Val())
	}
}

// The platform's trigger buffer is read, and a key is taken out of it.
func TestBuffer(t *testing.T) {
	s := redistest.Start(t)
	db, c, ctx := s.Client(t), open(t, s), t.Context()
	entry := func(run, snapshot string) {
		must(t, db.Set(ctx, lookupName, run, 0).Err())
		must(t, db.HSet(ctx, "mollifier:entries:"+run, "runId", run, "payload", snapshot, "status", "QUEUED", "idempotencyLookupKey", lookupName).Err())
	}
	expires := time.Date(2026, 11, 26, 10, 0, 0, 123_000_000, time.UTC)
	for snapshot, want := range map[string]*time.Time{
		`{"idempotencyKey":"key","idempotencyKeyExpiresAt":"2026-11-26T10:00:00.123Z"}`: &expires,
		`{"idempotencyKey":"key"}`:                        nil,
		`{"idempotencyKeyExpiresAt":null}`:                nil,
		`{"idempotencyKeyExpiresAt":"some day"}`:          nil,
		`not JSON`:                                        nil,
		`{"idempotencyKeyExpiresAt":{"a":1},"payload":1}`: nil,
	} {
		entry("run_b", snapshot)
		got, ok, err := c.Buffered(ctx, key)
		if err != nil || !ok || got.Run != "run_b" || (got.ExpiresAt == nil) != (want == nil) || want != nil && !want.Equal(*got.ExpiresAt) {
			t.Errorf("%s: %+v, %v, %v", snapshot, got, ok, err)
		}
		if buffered, err := c.Reset(ctx, key); !buffered || err != nil {
			t.Errorf("%s: reset: %v, %v", snapshot, buffered, err)
		}
		if _, ok, err := c.Buffered(ctx, key); ok || err != nil {
			t.Errorf("%s: it is still there: %v", snapshot, err)
		}
	}
	entry("run_b", `{"idempotencyKey":"key","idempotencyKeyExpiresAt":"2026-11-26T10:00:00.123Z","taskId":"t"}`)
	if _, err := c.Reset(ctx, key); err != nil {
		t.Error(err)
	}
	left := db.HGetAll(ctx, "mollifier:entries:run_b").Val()
	if left["idempotencyLookupKey"] != "" || left["status"] != "QUEUED" || !strings.Contains(left["payload"], `"idempotencyKey":null`) ||
		!strings.Contains(left["payload"], `"idempotencyKeyExpiresAt":null`) || !strings.Contains(left["payload"], `"taskId":"t"`) {
		t.Errorf("the buffered run is %q", left)
	}
	must(t, db.Set(ctx, lookupName, "run_gone", 0).Err())
	if _, ok, err := c.Buffered(ctx, key); ok || err != nil {
		t.Errorf("a run whose entry is gone: %v, %v", ok, err)
	}
	if db.Exists(ctx, lookupName).Val() != 0 {
		t.Error("the name of a run that is gone stays")
	}
}

// A Redis that hangs, or is gone, holds nobody up for longer than agreed, and errors
// hold no password.
func TestGone(t *testing.T) {
	s := redistest.Start(t)
	c, err := claims.NewRedis(claims.RedisConfig{URL: s.URL(), Wait: 50 * time.Millisecond})
	must(t, err)
	defer c.Close()
	asks(t, c, key, "a", claimed)
	for _, fault := range []func(){func() { s.Signal(t, syscall.SIGSTOP) }, s.Kill} {
		fault()
		began := time.Now()
		_, err = c.Claim(t.Context(), key, "a", time.Minute)
		if err == nil || strings.Contains(err.Error(), redistest.Password) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if _, err := claims.NewRedis(claims.RedisConfig{URL: "http://:" + redistest.Password + "@host"}); err == nil || strings.Contains(err.Error(), redistest.Password) {
		t.Errorf("%v", err)
	}
}
