package limits_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now().Truncate(time.Millisecond)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Buffer.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.String()
}

func newLimiter(t *testing.T, c limits.RedisConfig) *limits.Redis {
	t.Helper()
	r, err := limits.NewRedis(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// closed ends a limiter, so that all that was released has been given back.
func closed(t *testing.T, r *limits.Redis) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

const key = "tr:realtime:concurrency:env_1"

// What is in Redis is what the platform puts there.
func TestRedisProtocol(t *testing.T) {
	s := redistest.Start(t)
	c, now := s.Client(t), newClock()
	r := newLimiter(t, limits.RedisConfig{URL: s.URL(), Now: now.now})
	if text := fmt.Sprintf("%#v", r); strings.Contains(text, redistest.Password) {
		t.Errorf("printed, it shows the password: %s", text)
	}
	release, ok := r.Acquire(t.Context(), "env_1", 1)
	if !ok {
		t.Fatal("no slot")
	}
	if keys := c.Keys(t.Context(), "*").Val(); len(keys) != 1 || keys[0] != key {
		t.Fatalf("keys %q, want %q", keys, key)
	}
	members := c.ZRangeWithScores(t.Context(), key, 0, -1).Val()
	if len(members) != 1 || members[0].Score != float64(now.now().UnixMilli()) {
		t.Errorf("members %+v, want one at %d", members, now.now().UnixMilli())
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if m := fmt.Sprint(members[0].Member); !uuid.MatchString(m) {
		t.Errorf("member %s is no random UUID", m)
	}
	if ttl := c.TTL(t.Context(), key).Val(); ttl <= 290*time.Second || ttl > 300*time.Second {
		t.Errorf("the key lives for %v, want 300s", ttl)
	}
	if _, ok := r.Acquire(t.Context(), "env_1", 1); ok {
		t.Error("a second slot of one")
	}
	if n := c.ZCard(t.Context(), key).Val(); n != 1 {
		t.Errorf("%d members after a refusal, want 1", n)
	}
	release()
	release()
	closed(t, r)
	if n := c.Exists(t.Context(), key).Val(); n != 0 {
		t.Errorf("%s is left with %q", key, c.ZRange(t.Context(), key, 0, -1).Val())
	}
	if r.Uncounted() != 0 {
		t.Errorf("%d uncounted requests of a Redis that was there", r.Uncounted())
	}
}

// The platform and two gateways share the slots of one environment.
func TestRedisIsShared(t *testing.T) {
	s := redistest.Start(t)
	c, now := s.Client(t), newClock()
	a := newLimiter(t, limits.RedisConfig{URL: s.URL(), Now: now.now})
	b := newLimiter(t, limits.RedisConfig{URL: s.URL(), Now: now.now})
	defer closed(t, b)
	platform := redis.Z{Score: float64(now.now().UnixMilli()), Member: "4f5a0a4e-8a44-4f43-a6c1-5e6a3bb1e0a3"}
	if err := c.ZAdd(t.Context(), key, platform).Err(); err != nil {
		t.Fatal(err)
	}
	take := func(l *limits.Redis, env string, limit int, want bool) func() {
		t.Helper()
		release, ok := l.Acquire(t.Context(), env, limit)
		if ok != want {
			t.Fatalf("a slot of %s with a limit of %d: %v, want %v", env, limit, ok, want)
		}
		return release
	}
	take(b, "env_1", 1, false) // the platform has it
	release := take(a, "env_1", 2, true)
	take(b, "env_1", 2, false)
	take(b, "env_2", 1, true)
	take(b, "env_3", 0, false)
	release()
	closed(t, a)
	take(b, "env_1", 2, true)
	if err := c.ZRem(t.Context(), key, platform.Member).Err(); err != nil {
		t.Fatal(err)
	}
	take(b, "env_1", 2, true)
	take(b, "env_1", 2, false)
	// Whoever died with a slot has it for 300 seconds.
	now.advance(300*time.Second - time.Millisecond)
	take(b, "env_1", 2, false)
	now.advance(time.Millisecond)
	take(b, "env_1", 2, true)
}

func TestRedisConcurrently(t *testing.T) {
	const limit, askers = 10, 200
	s := redistest.Start(t)
	// No wait that a loaded machine could miss: it would let everybody in.
	r := newLimiter(t, limits.RedisConfig{URL: s.URL(), Wait: time.Minute})
	var (
		wg       sync.WaitGroup
		granted  atomic.Int64
		releases = make(chan func(), askers)
	)
	for range askers {
		wg.Go(func() {
			if release, ok := r.Acquire(t.Context(), "env_1", limit); ok {
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
		wg.Go(release)
	}
	wg.Wait()
	closed(t, r)
	if n := s.Client(t).ZCard(t.Context(), key).Val(); n != 0 {
		t.Errorf("%d slots are taken after all were given back", n)
	}
}

// More slots than one round trip gives back, while Redis is away.
func TestSlotsAreGivenBackWhenRedisReturns(t *testing.T) {
	const slots = 2500
	s := redistest.Start(t)
	r := newLimiter(t, limits.RedisConfig{URL: s.URL(), Wait: time.Minute})
	var releases []func()
	for range slots {
		release, ok := r.Acquire(t.Context(), "env_1", slots)
		if !ok {
			t.Fatal("no slot")
		}
		releases = append(releases, release)
	}
	s.Signal(t, syscall.SIGSTOP)
	for _, release := range releases {
		release() // does not wait
	}
	s.Signal(t, syscall.SIGCONT)
	closed(t, r)
	if n := s.Client(t).ZCard(t.Context(), key).Val(); n != 0 {
		t.Errorf("%d slots are still taken", n)
	}
}

func TestRedisThatHangs(t *testing.T) {
	s := redistest.Start(t)
	var log journal
	now := newClock()
	r := newLimiter(t, limits.RedisConfig{URL: s.URL(), Now: now.now, Log: zerolog.New(&log)})
	if _, ok := r.Acquire(t.Context(), "env_1", 1); !ok {
		t.Fatal("no slot")
	}
	s.Signal(t, syscall.SIGSTOP)
	start := time.Now()
	release, ok := r.Acquire(t.Context(), "env_1", 9)
	if took := time.Since(start); !ok || took < 200*time.Millisecond || took > 2*time.Second {
		t.Errorf("a Redis that hangs: ok is %v after %v, want true after 250 ms", ok, took)
	}
	// A client that leaves is no fault of Redis's.
	gone, leave := context.WithCancel(t.Context())
	leave()
	left, ok := r.Acquire(gone, "env_1", 9)
	if !ok || r.Uncounted() != 1 || strings.Count(log.text(), `"level":"warn"`) != 1 {
		t.Errorf("ok is %v; %d uncounted, log %s", ok, r.Uncounted(), log.text())
	}
	release()
	left()
	s.Signal(t, syscall.SIGCONT)
	closed(t, r)
	// The script that got no answer ran all the same, or did not: its slot is gone.
	if n := s.Client(t).ZCard(t.Context(), key).Val(); n != 1 {
		t.Errorf("%d slots are taken, want the first one alone", n)
	}
}

func TestRedisThatIsDown(t *testing.T) {
	s := redistest.Start(t)
	var log journal
	now := newClock()
	r := newLimiter(t, limits.RedisConfig{URL: s.URL(), Now: now.now, Log: zerolog.New(&log)})
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if _, ok := r.Acquire(t.Context(), "env_1", 1); !ok {
		t.Fatal("no slot")
	}
	s.Kill()
	if err := r.Ping(t.Context()); err == nil || strings.Contains(err.Error(), redistest.Password) {
		t.Errorf("ping of a Redis that is down: %v", err)
	}
	ask := func(n int) {
		t.Helper()
		for range n {
			start := time.Now()
			release, ok := r.Acquire(t.Context(), "env_1", 1)
			if took := time.Since(start); !ok || took > 2*time.Second {
				t.Fatalf("ok is %v after %v", ok, took)
			}
			release()
		}
	}
	warned := func() int { return strings.Count(log.text(), `"level":"warn"`) }
	ask(3)
	if r.Uncounted() != 3 || warned() != 1 {
		t.Errorf("%d uncounted and %d warnings, want 3 and 1", r.Uncounted(), warned())
	}
	now.advance(10*time.Second - 1)
	ask(1)
	if warned() != 1 {
		t.Errorf("%d warnings within ten seconds", warned())
	}
	now.advance(1)
	ask(1)
	if r.Uncounted() != 5 || warned() != 2 || !strings.Contains(log.text(), `"requests":4`) {
		t.Errorf("%d uncounted, log %s", r.Uncounted(), log.text())
	}
	if strings.Contains(log.text(), redistest.Password) {
		t.Errorf("the log holds the password: %s", log.text())
	}
	s.Again(t)
	// Connections are made anew in their own time, which is soon.
	for deadline := time.Now().Add(20 * time.Second); ; {
		before := r.Uncounted()
		release, ok := r.Acquire(t.Context(), "env_2", 1)
		if ok && r.Uncounted() == before {
			if _, ok := r.Acquire(t.Context(), "env_2", 1); ok && r.Uncounted() == before {
				t.Error("Redis is back, and a second slot of one was given out")
			}
			release()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Redis is back, and requests are still uncounted")
		}
	}
	if n := strings.Count(log.text(), "Redis answers again"); n != 1 {
		t.Errorf("said %d times that Redis is back", n)
	}
	closed(t, r)
}

// Slots that cannot be given back keep nobody from ending.
func TestCloseWithoutRedis(t *testing.T) {
	s := redistest.Start(t)
	r := newLimiter(t, limits.RedisConfig{URL: s.URL(), Wait: time.Minute})
	release, ok := r.Acquire(t.Context(), "env_1", 1)
	if !ok {
		t.Fatal("no slot")
	}
	s.Kill()
	release()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := r.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "by themselves: 1:") || strings.Contains(err.Error(), redistest.Password) {
		t.Errorf("closed with %v, want an error that says what is left", err)
	}
	if ctx.Err() != nil {
		t.Error("it took until its context ended")
	}
}

func TestRedisURL(t *testing.T) {
	for _, url := range []string{"", "localhost:6379", "http://:" + redistest.Password + "@localhost", "redis://:" + redistest.Password + "@host:port", "redis://:" + redistest.Password + "@h/x/y\x00"} {
		r, err := limits.NewRedis(limits.RedisConfig{URL: url})
		if err == nil {
			t.Errorf("%q was taken", url)
			closed(t, r)
			continue
		}
		if strings.Contains(err.Error(), redistest.Password) {
			t.Errorf("%q: the error holds the password: %v", url, err)
		}
	}
}
