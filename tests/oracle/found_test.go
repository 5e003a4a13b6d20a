package oracle

import (
	"testing"
	"time"
)

// TestFound plays what ever failed. A seed means something only together with
// this version of the writer, so what made the difference is set by hand.
func TestFound(t *testing.T) {
	for name, c := range map[string]struct {
		seed uint64
		with func(*settings)
	}{
		// A reader whose live answer was cut off by a chunk held every row, and was
		// told so only with the next change or after the hold: merge.Step let
		// it wait once it had read that nothing follows.
		"held, and not told that it is up to date": {181, func(s *settings) { s.unfinished, s.chunkBytes = true, 700 }},
		// The oracle's own fault, three times: it committed another transaction
		// between the sentinels of the two tables, and readers were judged who
		// rightly did not have it yet.
		"judged too early, after a snapshot":  {667, func(s *settings) { s.hold = 250 * time.Millisecond }},
		"judged too early, starting anew":     {10465, func(*settings) {}},
		"judged too early, behind a takeover": {20320, func(s *settings) { s.takeovers = true }},
		// An answer of nothing new broke off before its end and was asked for again;
		// meanwhile there were rows, which lay beyond the end that had been named. What
		// was left said nothing and led nowhere, and was a 503.
		"an empty answer that broke off": {745, func(s *settings) { s.outages, s.patience = true, outagePatience }},
		// The second read of a request was streamed, and broke off: what is read without
		// patience went on nowhere.
		"a second read that broke off": {745, func(s *settings) { s.outages, s.patience, s.pageBytes, s.chunkBytes = true, outagePatience, 1, 700 }},
		// The oracle's own fault once more: it gave a reader that was many small chunks behind no time for
		// the outages on its way.
		"judged too early, behind outages": {45, func(s *settings) { s.outages, s.hold, s.patience = true, 250*time.Millisecond, outagePatience }},
	} {
		t.Run(name, func(t *testing.T) {
			s := settingsOf(c.seed)
			s.hold, s.patience, s.takeovers, s.truncates, s.outages = defaultHold, patience, false, false, false
			c.with(&s)
			t.Log(s)
			if err := play(t, s, faults{}); err != nil {
				t.Error(err)
			}
		})
	}
}
