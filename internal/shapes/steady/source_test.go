package steady

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// upstream is a Source that the test spoils.
type upstream struct {
	mu    sync.Mutex
	fault func(query string) error // nil: none
	hangs bool
	calls []string // "read <query>" or "wait <query>", as they came
	times []time.Time
	news  chan *shapes.News // what waits get
}

func (u *upstream) enter(ctx context.Context, what string, def *shapes.Definition) error {
	u.mu.Lock()
	u.calls, u.times = append(u.calls, what+" "+def.Query()), append(u.times, time.Now())
	fault, hangs := u.fault, u.hangs
	u.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if fault != nil {
		return fault(def.Query())
	}
	return nil
}

func (u *upstream) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	if err := u.enter(ctx, "read", def); err != nil {
		return nil, err
	}
	return &shapes.Page{Next: pos, Messages: shapes.NewScanner(strings.NewReader("[]")), Close: func() error { return nil }}, nil
}

func (u *upstream) Wait(ctx context.Context, def *shapes.Definition, _ shapes.Position) (*shapes.News, error) {
	if err := u.enter(ctx, "wait", def); err != nil {
		return nil, err
	}
	select {
	case n := <-u.news:
		return n, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (u *upstream) set(fault func(string) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault = fault
}

func (u *upstream) hang(yes bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hangs = yes
}

func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.calls)
}

func down(string) error { return &shapes.Unavailable{Err: errors.New("down")} }

func define(name string) *shapes.Definition {
	return shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", name))
}

var here = shapes.Position{Handle: "h", Offset: shapes.LogOffset(1, 0)}

func inBubble(t *testing.T, f func(t *testing.T, u *upstream, s *Source, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{news: make(chan *shapes.News, 10)}
		var log bytes.Buffer
		f(t, u, New(Config{Source: u, Log: zerolog.New(&log)}), &log)
	})
}

// A fault that passes is a longer wait for everybody and nothing else, and the
// upstream is not asked more often because many wait.
func TestAFaultThatPasses(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, log *bytes.Buffer) {
		u.set(down)
		const readers, shapesToo = 40, 8
		var all sync.WaitGroup
		start := time.Now()
		for i := range readers {
			all.Go(func() {
				page, err := s.Read(t.Context(), define(fmt.Sprint(i%shapesToo)), here)
				if err != nil {
					t.Error(err)
					return
				}
				_ = page.Close()
				if took := time.Since(start); took < 10*time.Second || took > 13*time.Second {
					t.Errorf("read after %s", took)
				}
			})
		}
		time.Sleep(10 * time.Second)
		if n := u.count(); n < 10 || n > readers+2*10 {
			t.Errorf("%d calls in 10 s", n)
		}
		if err := s.Down(define("0")); err == nil {
			t.Error("a shape that fails is not down")
		}
		u.set(nil)
		all.Wait()
		for i := range shapesToo {
			if err := s.Down(define(fmt.Sprint(i))); err != nil {
				t.Errorf("shape %d is down: %v", i, err)
			}
		}
		if text := log.String(); strings.Count(text, "answers for no shape") != 1 || strings.Count(text, "answers again") != 1 {
			t.Errorf("logged %s", text)
		}
	})
}

// A held call whose shape fails is read first, so that it is known at once when
// all is well again, and is then held.
func TestWaitsAreReadFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		u.set(down)
		got := make(chan *shapes.News, 1)
		go func() {
			n, err := s.Wait(t.Context(), define("a"), here)
			if err != nil {
				t.Error(err)
			}
			got <- n
		}()
		time.Sleep(5 * time.Second)
		u.set(nil)
		time.Sleep(5 * time.Second)
		if err := s.Down(define("a")); err != nil {
			t.Errorf("down although it is held: %v", err)
		}
		u.mu.Lock()
		calls := strings.Join(u.calls, ",")
		u.mu.Unlock()
		q := define("a").Query()
		if !strings.HasPrefix(calls, "wait "+q+",read "+q+",read") || !strings.HasSuffix(calls, "read "+q+",wait "+q) {
			t.Errorf("the calls were %s", calls)
		}
		want := &shapes.News{Next: here}
		u.news <- want
		if n := <-got; n != want {
			t.Errorf("got %v", n)
		}
	})
}

// A shape that is well again is not down, though a call of it has to wait for its turn.
func TestOnTrialIsNotDown(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		u.set(down)
		go s.Wait(ctx, define("a"), here)
		time.Sleep(3 * time.Second)
		u.set(nil)
		time.Sleep(shapePause + time.Second) // it has been asked again, whatever pause was drawn
		for range 3 {
			go s.Wait(ctx, define("a"), here)
		}
		synctest.Wait()
		if s.blocked[define("a").Query()] == 0 {
			t.Fatal("all have their turn")
		}
		if err := s.Down(define("a")); err != nil {
			t.Errorf("down: %v", err)
		}
	})
}

// Nothing but a fault is asked for again.
func TestOtherOutcomesAreTheCallers(t *testing.T) {
	for _, want := range []error{&shapes.Rotated{Handle: "x"}, &shapes.Refused{Status: 400}} {
		inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
			u.set(func(string) error { return want })
			if _, err := s.Read(t.Context(), define("a"), here); err != want {
				t.Errorf("read: %v", err)
			}
			if _, err := s.Wait(t.Context(), define("a"), here); err != want {
				t.Errorf("wait: %v", err)
			}
			if u.count() != 2 || s.Down(define("a")) != nil {
				t.Errorf("%d calls, down %v", u.count(), s.Down(define("a")))
			}
		})
	}
}

// A caller who leaves is told what was wrong, and leaves no mark on the shape.
func TestACallerLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		u.set(down)
		if _, err := s.Wait(ctx, define("a"), here); err == nil || !strings.Contains(err.Error(), "down") {
			t.Errorf("got %v", err)
		}
		u.set(nil)
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := s.Wait(ctx, define("a"), here); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of a call that was held: %v", err)
		}
		if err := s.Down(define("a")); err != nil {
			t.Errorf("down: %v", err)
		}
	})
}

// That the upstream wants to be left alone counts, though nobody waits for the answer any
// more that says so.
func TestACallerLeavesARetryAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		const rest = 10 * time.Second
		ctx, leave := context.WithCancel(t.Context())
		u.set(func(string) error {
			leave()
			return &shapes.Unavailable{Err: errors.New("503"), RetryAfter: rest}
		})
		if _, err := s.Read(ctx, define("a"), here); err == nil {
			t.Error("no error")
		}
		u.set(nil)
		start := time.Now()
		page, err := s.Read(t.Context(), define("a"), here)
		if took := time.Since(start); err != nil || took < rest {
			t.Fatalf("asked again after %v: %v", took, err)
		}
		_ = page.Close()
	})
}

// What is worth having only now is not waited for.
func TestOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		start := time.Now()
		u.set(down)
		for range 3 {
			if _, err := s.Once(t.Context(), define("a"), here); err == nil {
				t.Error("no error")
			}
		}
		if u.count() != 1 || time.Since(start) != 0 {
			t.Errorf("%d calls, %s", u.count(), time.Since(start))
		}
		u.set(nil)
		time.Sleep(time.Second)
		page, err := s.Once(t.Context(), define("a"), here)
		if err != nil {
			t.Fatal(err)
		}
		_ = page.Close()
	})
}

// The upstream's wish to be left alone is heeded, within reason.
func TestRetryAfter(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{7 * time.Second: 7 * time.Second, time.Hour: mostRest} {
		inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
			start := time.Now()
			u.set(func(string) error {
				u.set(nil)
				return &shapes.Unavailable{RetryAfter: asked, Err: errors.New("busy")}
			})
			page, err := s.Read(t.Context(), define("a"), here)
			if err != nil {
				t.Fatal(err)
			}
			_ = page.Close()
			if took := time.Since(start); took < want || took > want+firstPause {
				t.Errorf("asked for %s, and came back after %s", asked, took)
			}
		})
	}
}

// An upstream that takes a call and never answers is a fault.
func TestAnUpstreamThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		u.hang(true)
		start := time.Now()
		go func() {
			time.Sleep(15 * time.Second)
			u.hang(false)
		}()
		page, err := s.Read(t.Context(), define("a"), here)
		if err != nil {
			t.Fatal(err)
		}
		_ = page.Close()
		if took := time.Since(start); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("answered after %s", took)
		}
	})
}
