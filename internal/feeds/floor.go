package feeds

import (
	"math"
	"time"
)

// ladder holds the windows that tag feeds have.
var ladder = [...]time.Duration{
	1 * time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	1 * time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	48 * time.Hour, 96 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// windowOf gives the rung that covers what was asked for; beyond the ladder, the
// longest duration.
func windowOf(asked time.Duration) time.Duration {
	for _, rung := range ladder {
		if rung >= asked {
			return rung
		}
	}
	return math.MaxInt64
}

// floorOf is where a feed of this window begins for a client that starts now:
// rounded down, so that those who start in the same bucket share a shape. A cursor
// holds none before 1970.
func floorOf(now time.Time, window time.Duration) time.Time {
	bucket := max(window/24, time.Minute).Truncate(time.Second)
	seconds := int64(bucket / time.Second)
	floor := now.Add(-window).Unix()
	return time.Unix(max(floor-floor%seconds, 1), 0).UTC()
}
