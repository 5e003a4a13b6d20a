package replication

import (
	"testing"
	"time"
)

// A transaction says when it was committed, in the database's own form of time.
func TestCommitted(t *testing.T) {
	for us, want := range map[uint64]time.Time{
		0:                         time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		1:                         time.Date(2000, 1, 1, 0, 0, 0, 1000, time.UTC),
		850_000_000_000_000:       time.Date(2026, 12, 7, 23, 6, 40, 0, time.UTC),
		^uint64(0):                time.Date(1999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		86_400_000_000 * 365 * 27: time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC),
	} {
		if got := timestamp(us); !got.Equal(want) {
			t.Errorf("%d is %v, want %v", us, got, want)
		}
	}
}
