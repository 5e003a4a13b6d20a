package feeds

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is asked, there are few windows, and each covers what was asked.
func TestWindowsAreFewAndCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := time.Duration(rapid.OneOf(rapid.Int64Min(0), rapid.Int64Range(0, int64(60*24*time.Hour))).Draw(t, "asked"))
		got := windowOf(asked)
		if got < asked || got != math.MaxInt64 && !slices.Contains(ladder[:], got) {
			t.Errorf("asked for %v, got %v", asked, got)
		}
		if i := slices.Index(ladder[:], got); i > 0 && ladder[i-1] >= asked {
			t.Errorf("asked for %v, got %v, and %v would do", asked, got, ladder[i-1])
		}
	})
}

// The maximum bounds what a client gets, whether or not it is on the ladder.
func TestTheMaximumBoundsTheWindow(t *testing.T) {
	s := newService(t, &upstream{}, Config{MaxAge: 100 * time.Minute})
	for asked, want := range map[time.Duration]time.Duration{
		0: time.Minute, time.Hour: time.Hour, 61 * time.Minute: 100 * time.Minute, math.MaxInt64: 100 * time.Minute,
	} {
		if got := tagFeed(t, s, nil, asked).window; got != want {
			t.Errorf("asked for %v, got %v, want %v", asked, got, want)
		}
	}
}

// A floor is never later than what was asked, and less than a bucket earlier.
func TestFloorsLieInTheirBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom(append(slices.Clone(ladder[:]), 90*time.Second, 25*time.Hour+time.Millisecond)).Draw(t, "window")
		now := time.Unix(0, rapid.Int64Range(int64(1600000000e9), int64(2000000000e9)).Draw(t, "now"))
		floor := floorOf(now, window)
		early := now.Add(-window).Sub(floor)
		if early < 0 || early >= max(window/24, time.Minute) {
			t.Errorf("the floor of %v at %v lies %v before it", window, now, early)
		}
		if floor.Nanosecond() != 0 || floor.Location() != time.UTC {
			t.Errorf("the floor %v does not fit into a cursor", floor)
		}
	})
}

// A window that reaches back before 1970 is as good as none.
func TestAFloorBefore1970IsTheFirstThatACursorHolds(t *testing.T) {
	s := newService(t, &upstream{}, Config{MaxAge: 100 * 365 * 24 * time.Hour})
	f := tagFeed(t, s, nil, 1<<62)
	_, at := next(t, s, f, start)
	if got, err := s.config.Codec.DecodeHandle(f.fingerprint, at.Handle); err != nil || got.Floor.Unix() != 1 {
		t.Errorf("the floor is %v, %v", got.Floor, err)
	}
}

// Clients that join all day long make at most 25 shapes a table of a feed of 24
// hours: one an hour, and the one that the day began in.
func TestADayOfJoinsMakesFewShapes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 34, 56, 789, time.UTC)
	u := &upstream{}
	s := newService(t, u, Config{Now: func() time.Time { return now }})
	f := tagFeed(t, s, []string{"a"}, 24*time.Hour)
	shapes, handles := map[string]int{}, map[string]int{}
	for range 24 * 60 {
		_, at := next(t, s, f, start)
		handles[at.Handle]++
		now = now.Add(time.Minute)
	}
	for _, q := range u.take() {
		shapes[q.Encode()]++
	}
	if len(shapes) > 2*25 || len(shapes) < 2*24 || len(handles)*2 != len(shapes) {
		t.Errorf("%d shapes and %d handles for a day of joins", len(shapes), len(handles))
	}
}

// The floor comes from the handle for as long as the client goes on: neither the
// time nor a smaller maximum moves it, since that would be another shape.
func TestAFloorIsNeverComputedAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 34, 56, 0, time.UTC)
	clock := func() time.Time { return now }
	u := &upstream{}
	first := newService(t, u, Config{Now: clock})
	smaller := newService(t, u, Config{Now: clock, MaxAge: 30 * time.Minute})
	_, at := next(t, first, tagFeed(t, first, nil, 3*time.Hour), start)
	began := u.take()
	for _, s := range []*Service{first, smaller} {
		now = now.Add(26 * time.Hour)
		var b *Batch
		b, at = next(t, s, tagFeed(t, s, nil, 3*time.Hour), at)
		for i, q := range u.take() {
			if q.Encode() != began[i].Encode() && q.Encode() != began[1-i].Encode() {
				t.Errorf("asks\n%v\nafter\n%v", q, began[i])
			}
		}
		if !b.UpToDate {
			t.Error("not up to date")
		}
	}
	// who begins now gets the smaller window
	next(t, smaller, tagFeed(t, smaller, nil, 3*time.Hour), start)
	if got, want := u.take()[0].Get("params[2]"), "2026-03-03T16:03:45.000Z"; got != want {
		t.Errorf("a new client's floor is %s, want %s", got, want)
	}
}
