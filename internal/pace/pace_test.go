package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// However calls come: of those that are nearer than Least to each other only the second
// goes at once, and only if the first was not stuck. Nobody is held back for longer than
// until Least has passed.
func TestCallsAreKeptApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p Pace
		now := time.Unix(0, 0)
		var last time.Time
		row := 0 // calls that went near to each other, or more if one was stuck
		for n := range rapid.IntRange(1, 20).Draw(t, "calls") {
			wait := p.Next(now)
			at, want := now.Add(wait), now
			if earliest := last.Add(Least); !earliest.After(now) {
				row = 0
			} else if row >= 2 {
				want = earliest
			}
			row++
			if !at.Equal(want) {
				t.Fatalf("call %d goes at %v, not %v", n, at, want)
			}
			last, now = at, at.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms"))*time.Millisecond)
			if rapid.Bool().Draw(t, "stuck") {
				p.Stuck()
				row = max(row, 2)
			}
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := Pause(t.Context(), time.Second); err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ended := errors.New("ended")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(ended)
		if err := Pause(ctx, time.Second); !errors.Is(err, ended) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := Pause(ctx, 0); err != nil {
			t.Errorf("there was nothing to wait for: %v", err)
		}
	})
}
