package oracle

import "testing"

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
	} {
		t.Run(name, func(t *testing.T) {
			s := settingsOf(c.seed)
			s.hold, s.patience, s.takeovers, s.truncates = defaultHold, patience, false, false
			c.with(&s)
			t.Log(s)
			if err := play(t, s, faults{}); err != nil {
				t.Error(err)
			}
		})
	}
}
