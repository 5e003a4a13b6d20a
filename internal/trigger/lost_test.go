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

// losing loses what claims are told: so many times.
type losing struct {
	claims.Claims
	left atomic.Int64
}

func (l *losing) Publish(ctx context.Context, slot claims.Slot, owner, run string, ttl time.Duration) error {
	if l.left.Add(-1) >= 0 {
		return errors.New("lost")
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
