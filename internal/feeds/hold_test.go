package feeds

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func ptr[T any](v T) *T { return &v }

// Clients that began together must not come back together, and none may be held
// so long that it gives up.
func TestHoldsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bubble's clock begins before the epoch of Electric's cursors.
		s := newService(t, &upstream{}, Config{Now: func() time.Time { return time.Now().AddDate(30, 0, 0) }})
		f := s.Run(env, v2ID, nil)
		_, at := next(t, s, f, start)
		shortest, longest := time.Hour, time.Duration(0)
		for range 200 {
			began := time.Now()
			b, err := s.Next(t.Context(), f, at, true)
			if err != nil {
				t.Fatal(err)
			}
			held := time.Since(began)
			shortest, longest = min(shortest, held), max(longest, held)
			if !b.UpToDate || b.Schema != "" || b.Handle != at.Handle || b.Offset != at.Offset {
				t.Fatalf("a hold ended with %+v", b)
			}
			before, _ := strconv.ParseUint(at.Cursor, 10, 64)
			if after, err := strconv.ParseUint(b.Cursor, 10, 64); err != nil || after <= before {
				t.Fatalf("the cursor went from %q to %q", at.Cursor, b.Cursor)
			}
			at.Cursor = b.Cursor
			b.Close()
		}
		if shortest < 17*time.Second || longest > 23*time.Second || shortest > 18*time.Second || longest < 22*time.Second {
			t.Errorf("held for %v to %v, want 17 s to 23 s", shortest, longest)
		}
	})
}

// A credential that ends ends the hold: a poll must not outlive it, not even by
// the rest of its own hold.
func TestAHoldEndsWithTheCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, &upstream{}, Config{})
		f := s.Batch(env, v2ID, nil)
		_, at := next(t, s, f, start)
		for name, c := range map[string]struct{ until, least, most time.Duration }{
			"during the hold":  {5 * time.Second, 5 * time.Second, 5 * time.Second},
			"after it":         {time.Hour, 17 * time.Second, 23 * time.Second},
			"a moment ago":     {-time.Nanosecond, 1, 1},
			"at this moment":   {0, 1, 1},
			"long ago":         {-time.Hour, 1, 1},
			"in all the years": {1<<63 - 1, 17 * time.Second, 23 * time.Second},
		} {
			p, began := at, time.Now()
			p.Until = began.Add(c.until)
			b, err := s.Next(t.Context(), f, p, true)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if held := time.Since(began); held < c.least || held > c.most {
				t.Errorf("a credential that ends %s is held for %v", name, held)
			}
			if !b.UpToDate || b.Handle != at.Handle || b.Offset != at.Offset || b.Cursor == "" || b.Size() == 0 {
				t.Errorf("%s: %+v", name, b)
			}
			b.Close()
		}
	})
}

// A process that is about to end answers who is held, and holds nobody any more.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, &upstream{}, Config{})
		began := time.Now()
		var held sync.WaitGroup
		for _, f := range []*Feed{s.Run(env, v2ID, nil), s.Batch(env, v2ID, nil), tagFeed(t, s, nil, time.Hour)} {
			_, at := next(t, s, f, start)
			ask := func() {
				b, err := s.Next(t.Context(), f, at, true)
				if err != nil {
					t.Error(err)
					return
				}
				if !b.UpToDate || b.Handle != at.Handle || b.Offset != at.Offset {
					t.Errorf("drained with %+v", b)
				}
				b.Close()
			}
			held.Go(func() {
				ask()
				ask() // at once, too
			})
		}
		synctest.Wait()
		s.Drain()
		held.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("answered after %v", waited)
		}
		next(t, s, s.Run(env, v2ID, nil), start) // who catches up is still served
	})
}

// A client that leaves ends its own request.
func TestTheClientsContextEndsAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, &upstream{}, Config{})
		f := s.Run(env, v2ID, nil)
		_, at := next(t, s, f, start)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := s.Next(ctx, f, at, true); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}
