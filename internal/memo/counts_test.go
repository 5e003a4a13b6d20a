package memo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/memo"
)

// What was remembered is a hit; who had to wait for the source, its own question or
// another's, is a miss.
func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, known, gone := newMemo(10), &source{value: 7}, &source{err: errBroken}
		get := func(s *source, key string) { _, _ = m.Get(t.Context(), key, s.ask) }
		get(known, "a")
		get(known, "a")
		get(known, "a")
		get(gone, "b")
		get(gone, "b") // a failure is not remembered
		time.Sleep(valueTime)
		get(known, "a")
		if got, want := m.Counts(), (memo.Counts{Hits: 2, Misses: 4}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}
