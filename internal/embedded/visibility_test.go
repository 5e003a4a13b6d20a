package embedded

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSeesIgnoresTheEpoch: whatever the epoch, an id that is less than 2^31 away
// from xmax is judged as its full 64-bit id would be.
func TestSeesIgnoresTheEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		epoch := uint64(rapid.Uint32().Draw(t, "epoch")) << 32
		low := rapid.OneOf(rapid.Uint32Range(0, 50), rapid.Uint32Range(1<<32-50, 1<<32-1), rapid.Uint32()).Draw(t, "low")
		xmax := epoch + uint64(low) + 1<<32
		back := rapid.Uint64Range(0, 100).Draw(t, "xmax-xmin")
		s := pgSnapshot{xmin: xmax - back, xmax: xmax}
		for x := s.xmin; x < s.xmax; x++ {
			if x == s.xmin || rapid.Bool().Draw(t, "running") {
				s.xip = append(s.xip, x)
			}
		}
		distance := rapid.OneOf(rapid.Int64Range(-110, 10), rapid.Int64Range(-1<<31, 1<<31-1)).Draw(t, "distance")
		full := uint64(int64(xmax) + distance)
		want := full < s.xmin || full < s.xmax && !slices.Contains(s.xip, full)
		if got := s.sees(uint32(full)); got != want {
			t.Fatalf("id %d in %d:%d:%v: sees is %v", full, s.xmin, s.xmax, s.xip, got)
		}
	})
}

func TestParsePgSnapshot(t *testing.T) {
	s, err := parsePgSnapshot("4294967300:4294967310:4294967300,4294967305")
	if err != nil || s.xmin != 4294967300 || s.xmax != 4294967310 || !slices.Equal(s.xip, []uint64{4294967300, 4294967305}) {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := parsePgSnapshot("7:7:"); err != nil || s.xip != nil {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "7:7", "a:7:", "7:a:", "7:8:x", "7:8:7:9"} {
		if s, err := parsePgSnapshot(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, s)
		}
	}
}
