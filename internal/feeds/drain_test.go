package feeds

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// draining is a service that many are held by, none of whom would be answered
// within a minute, and the moments at which they were.
type draining struct {
	*Service
	t    *testing.T
	feed *Feed
	at   Place

	mu       sync.Mutex
	answered []time.Duration // since began
	began    time.Time
	held     sync.WaitGroup
}

func newDraining(t *testing.T, n int) *draining {
	d := &draining{Service: newService(t, &upstream{}, Config{Hold: 2 * time.Minute}), t: t}
	d.feed = d.Run(env, v2ID, nil)
	_, d.at = next(t, d.Service, d.feed, start)
	for range n {
		d.held.Go(func() {
			took := d.ask()
			d.mu.Lock()
			d.answered = append(d.answered, took)
			d.mu.Unlock()
		})
	}
	synctest.Wait()
	d.began = time.Now()
	return d
}

// ask sends a live request, and gives the moment at which it was answered.
func (d *draining) ask() time.Duration {
	b, err := d.Next(d.t.Context(), d.feed, d.at, true)
	if err != nil {
		d.t.Error(err)
		return 0
	}
	defer b.Close()
	if !b.UpToDate || b.Handle != d.at.Handle || b.Offset != d.at.Offset {
		d.t.Errorf("drained with %+v", b)
	}
	return time.Since(d.began)
}

// Held requests are answered evenly over the time: no second has many more than
// another, and nobody is answered before it has begun or after it has ended.
func TestDrainIsSpread(t *testing.T) {
	const n, settle, over = 3000, 3 * time.Second, 15 * time.Second
	synctest.Test(t, func(t *testing.T) {
		d := newDraining(t, n)
		d.DrainOver(t.Context(), settle, over)
		if took := time.Since(d.began); took != settle+over {
			t.Errorf("it took %v", took)
		}
		d.held.Wait()
		var seconds [over / time.Second]int
		for _, after := range d.answered {
			if after < settle || after > settle+over {
				t.Fatalf("one was answered after %v", after)
			}
			seconds[min(int((after-settle)/time.Second), len(seconds)-1)]++
		}
		if least, most := slices.Min(seconds[:]), slices.Max(seconds[:]); least < n/15*9/10 || most > n/15*11/10 {
			t.Errorf("answered in each second: %v", seconds)
		}
	})
}

// Who comes in a drain is answered soon, but not at once: it may come back to the
// same process. In the end nobody is held.
func TestRequestsInADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDraining(t, 1)
		go d.DrainOver(t.Context(), 4*time.Second, 16*time.Second)
		synctest.Wait()
		for time.Since(d.began) < 19*time.Second {
			began := time.Since(d.began)
			if took := d.ask() - began; took < 1700*time.Millisecond && began+took < 20*time.Second || took > 2300*time.Millisecond {
				t.Errorf("asked %v into the drain, answered after %v", began, took)
			}
		}
		d.held.Wait()
		time.Sleep(time.Until(d.began.Add(21 * time.Second)))
		if now := time.Since(d.began); d.ask() != now {
			t.Error("held after the drain")
		}
		next(t, d.Service, d.feed, start) // who catches up is still served
	})
}

// A drain that is cut short answers everybody at once, those included that would
// have had their turn later.
func TestDrainIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDraining(t, 300)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		d.DrainOver(ctx, 4*time.Second, 16*time.Second)
		d.held.Wait()
		if took := time.Since(d.began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if last := slices.Max(d.answered); last != 5*time.Second || slices.Min(d.answered) == last {
			t.Errorf("the last was answered after %v", last)
		}
	})
}
