package embedded

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNextCursor: every client of one window gets the same number, and none gets
// the one it came with (sync-service 1.7.12, plug/utils.ex).
func TestNextCursor(t *testing.T) {
	at := time.Date(2024, 10, 9, 0, 0, 41, 500, time.UTC)
	jitter := func(int64) int64 { return 6 }
	for previous, want := range map[int64]int64{0: 60, 59: 60, 60: 67, 1000: 1007} {
		if got := nextCursor(at, 20*time.Second, previous, jitter); got != want {
			t.Errorf("after %d: %d, want %d", previous, got, want)
		}
	}
	if got := nextCursor(time.Date(2024, 10, 9, 0, 0, 40, 0, time.UTC), 20*time.Second, 0, jitter); got != 40 {
		t.Errorf("at the end of a window: %d", got)
	}
	if got := nextCursor(at, time.Millisecond, 0, jitter); got != 0 {
		t.Errorf("without a window: %d", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1_728_432_000, 4_000_000_000).Draw(t, "now"), 0)
		window := time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Second
		previous := rapid.Int64Range(0, 1<<40).Draw(t, "previous")
		if got := nextCursor(now, window, previous, func(n int64) int64 { return n - 1 }); got <= previous {
			t.Fatalf("%d after %d", got, previous)
		}
	})
}
