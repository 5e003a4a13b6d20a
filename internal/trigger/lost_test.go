package trigger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// losing loses what claims are told, or answer to a claim: so many times.
type losing struct {
	claims.Claims
	left, answers atomic.Int64
}

func (l *losing) Claim(ctx context.Context, slot claims.Slot, owner string, ttl time.Duration) (claims.Answer, error) {
	a, err := l.Claims.Claim(ctx, slot, owner, ttl)
	if l.answers.Add(-1) >= 0 {
		return claims.Answer{}, errors.New("lost")
	}
	return a, err
}

func (l *losing) Publish(ctx context.Context, slot claims.Slot, owner, run string, ttl time.Duration) (bool, error) {
	if l.left.Add(-1) >= 0 {
		return false, errors.New("lost")
	}
	return l.Claims.Publish(ctx, slot, owner, run, ttl)
}

// A run whose publishing is lost once is published nevertheless. If it is lost for
// good, who waits for it finds it in its table, and a token that it used is used.
func TestALostPublish(t *testing.T) {
	server := redistest.Start(t)
	c := &losing{Claims: shared(t, server)}
	f := newFixture(t, c)
	f.claimWait = 100 * time.Millisecond
	service := f.instance(t, f.flag, c)
	for name, lost := range map[string]int64{"once": 1, "for good": 2} {
		with := func(r *trigger.Request) { r.IdempotencyKey = name }
		c.left.Store(lost)
		run := f.make(t, request(with))
		slot := claims.ForKey(ours.ID, "task", name)
		if a, err := c.Claim(t.Context(), slot, "another", time.Second); err != nil || (a.State == claims.Resolved) != (lost == 1) {
			t.Errorf("lost %s: the slot says %+v, %v", name, a, err)
		}
		got, err := service.Trigger(t.Context(), request(with))
		if err != nil || !got.IsCached || got.ID != run.ID {
			t.Errorf("lost %s: %+v, %v", name, got, err)
		}
	}
	c.left.Store(2)
	withToken := func(r *trigger.Request) { r.OneTimeUseToken = "token" }
	f.make(t, request(withToken))
	if _, err := service.Trigger(t.Context(), request(withToken)); !errors.Is(err, trigger.ErrTokenUsed) {
		t.Errorf("the token: %v", err)
	}
}

// A claim that was had though its answer was lost is in nobody's way: what came of the
// work is said in the slot all the same.
func TestALostAnswerToAClaim(t *testing.T) {
	c := &losing{Claims: shared(t, redistest.Start(t))}
	f := newFixture(t, c)
	f.run(t, `ALTER TABLE "TaskRun" ADD CONSTRAINT refused CHECK (payload <> 'no')`)
	for name, slot := range map[string]claims.Slot{"key": claims.ForKey(ours.ID, "task", "x"), "token": claims.ForToken("x")} {
		with := func(payload string) trigger.Request {
			r := request(func(r *trigger.Request) { r.Payload = payload })
			if name == "key" {
				r.IdempotencyKey = "x"
			} else {
				r.OneTimeUseToken = "x"
			}
			return r
		}
		says := func(want claims.Answer) {
			t.Helper()
			if a, err := c.Claim(t.Context(), slot, "another", time.Minute); err != nil || a != want {
				t.Errorf("%s: the slot says %+v, %v, and not %+v", name, a, err, want)
			}
		}
		c.answers.Store(1)
		if r, err := f.Trigger(t.Context(), with("no")); err == nil {
			t.Fatalf("%s: %+v", name, r)
		}
		says(claims.Answer{State: claims.Claimed})
		if err := c.Release(t.Context(), slot, "another"); err != nil {
			t.Fatal(err)
		}
		c.answers.Store(1)
		run := f.make(t, with("1"))
		says(claims.Answer{State: claims.Resolved, Run: run.FriendlyID})
	}
}

// Who waits in vain is told for what: for the token that another has claimed, also with
// a key, or for the key.
func TestBusyWithWhat(t *testing.T) {
	c := &claims.Memory{}
	f := newFixture(t, c)
	f.claimWait = time.Millisecond
	service := f.instance(t, f.flag, c)
	for _, slot := range []claims.Slot{claims.ForToken("taken"), claims.ForKey(ours.ID, "task", "taken")} {
		if _, err := c.Claim(t.Context(), slot, "another", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []struct {
		key, token string
		ofToken    bool
	}{{"", "taken", true}, {"free", "taken", true}, {"taken", "", false}, {"taken", "free", false}} {
		_, err := service.Trigger(t.Context(), request(func(q *trigger.Request) { q.IdempotencyKey, q.OneTimeUseToken = r.key, r.token }))
		if !errors.Is(err, trigger.ErrBusy) || errors.Is(err, trigger.ErrTokenBusy) != r.ofToken {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
