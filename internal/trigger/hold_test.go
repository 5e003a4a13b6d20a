package trigger

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
)

// forgetful loses so many releases on their way.
type forgetful struct {
	claims.Memory
	lost atomic.Int64
}

func (f *forgetful) Release(ctx context.Context, slot claims.Slot, owner string) error {
	if f.lost.Add(-1) >= 0 {
		return errors.New("lost")
	}
	return f.Memory.Release(ctx, slot, owner)
}

// state is what a slot says to another who claims it.
func (f *forgetful) state(t *testing.T, slot claims.Slot) claims.State {
	t.Helper()
	const look = time.Nanosecond // so that the look itself is over at once
	a, err := f.Claim(t.Context(), slot, "another", look)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(look) // of the bubble's time
	return a.State
}

// holding is a service that has just taken a slot for a time, in a bubble.
func holding(t *testing.T, life time.Duration, lost int64) (*Service, *forgetful, *hold) {
	t.Helper()
	c := &forgetful{}
	c.lost.Store(lost)
	s := &Service{claims: c, wait: 5 * time.Second, now: time.Now}
	h, run, err := s.enter(t.Context(), claims.ForToken("token"), life)
	if err != nil || h == nil || run != "" {
		t.Fatalf("%+v, %q, %v", h, run, err)
	}
	return s, c, h
}

// Work under a claim is ended a second before the claim is, with its client there or
// gone, and so that the next can begin at once. If it may have written a row the next
// has to wait until the claim has lapsed by itself.
func TestWorkEndsBeforeItsClaim(t *testing.T) {
	const life = 7 * time.Second
	for name, c := range map[string]struct {
		err  func(context.Context) error // what work says that was ended
		then claims.State
	}{
		"nothing written":  {context.Cause, claims.Claimed},
		"perhaps a row":    {func(ctx context.Context) error { return &doubtError{context.Cause(ctx)} }, claims.Pending},
		"perhaps, wrapped": {func(ctx context.Context) error { return errors.Join(&doubtError{ctx.Err()}) }, claims.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, memory, h := holding(t, life, 0)
				start := time.Now()
				ctx, leave := context.WithCancel(t.Context())
				leave()
				h.late = ErrTokenBusy
				_, err := s.under(ctx, h, func(ctx context.Context) (Result, error) {
					<-ctx.Done()
					return Result{}, c.err(ctx)
				})
				if took := time.Since(start); took != life-time.Second || !errors.Is(err, ErrTokenBusy) {
					t.Errorf("it ended after %v: %v", took, err)
				}
				if got := memory.state(t, h.slot); got != c.then {
					t.Errorf("then the slot is in state %d, not %d", got, c.then)
				}
				time.Sleep(time.Until(start.Add(life)))
				if got := memory.state(t, h.slot); got != claims.Claimed {
					t.Errorf("when the claim is over the slot is in state %d", got)
				}
			})
		})
	}
}

// Work that was done in time counts, though its client left, and work that was not
// claimed for is not bounded.
func TestWorkDoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, memory, h := holding(t, 5*time.Second, 0)
		work := func(ctx context.Context) (Result, error) {
			select {
			case <-time.After(3 * time.Second):
				return Result{FriendlyID: "run_a"}, nil
			case <-ctx.Done():
				return Result{}, context.Cause(ctx)
			}
		}
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if r, err := s.under(ctx, h, work); err != nil || r.FriendlyID != "run_a" || memory.state(t, h.slot) != claims.Resolved {
			t.Errorf("%+v, %v", r, err)
		}
		h.open, h.until = true, time.Now()
		if r, err := s.under(t.Context(), h, work); err != nil || r.FriendlyID != "run_a" {
			t.Errorf("open: %+v, %v", r, err)
		}
	})
}

// A claim of which it is not known whether it was had is kept, as one that was, while
// there is doubt whether the work has written a row.
func TestAnOpenHoldInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, memory, h := holding(t, 5*time.Second, 0)
		h.open = true
		failure := errors.New("lost")
		_, err := s.under(t.Context(), h, func(context.Context) (Result, error) { return Result{}, &doubtError{failure} })
		if got := memory.state(t, h.slot); !errors.Is(err, failure) || got != claims.Pending {
			t.Errorf("the slot is in state %d: %v", got, err)
		}
	})
}

// A release that is lost once is made up for. If it is lost for good the slot is
// nobody's for as long as the claim lives, and no longer: who waits gets it then.
func TestALostRelease(t *testing.T) {
	for lost, late := range map[int64]time.Duration{0: 0, 1: 0, 2: 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s, _, h := holding(t, 4*time.Second, lost)
			start := time.Now()
			failure := errors.New("refused")
			if _, err := s.under(t.Context(), h, func(context.Context) (Result, error) { return Result{}, failure }); !errors.Is(err, failure) {
				t.Errorf("%d lost: %v", lost, err)
			}
			next, _, err := s.enter(t.Context(), h.slot, time.Minute)
			if took := time.Since(start); err != nil || next == nil || took != late {
				t.Errorf("%d lost: the next has it after %v, not %v: %v", lost, took, late, err)
			}
			if n := s.Faults(); n != uint64(lost) {
				t.Errorf("%d lost: %d faults", lost, n)
			}
		})
	}
}
