package gateway

import (
	"math"
	"strings"
	"time"
)

// maxDurationText is the length beyond which the platform reads no duration.
const maxDurationText = 100

// durationUnits are the units of a duration; "hr" stands before "h", which is
// its beginning.
var durationUnits = []struct {
	name string
	unit time.Duration
}{
	{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"hr", time.Hour}, {"h", time.Hour},
	{"m", time.Minute}, {"s", time.Second},
}

// parseDuration reads the platform's durations: numbers, each with a unit of w,
// d, h (or hr), m or s, in any order, added up: "1d12h". All else, the empty
// text included, is no duration, and the caller has a default for that. What
// does not fit is the longest time.Duration.
func parseDuration(text string) (time.Duration, bool) {
	if text == "" || len(text) > maxDurationText {
		return 0, false
	}
	var sum time.Duration
	for text != "" {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		unit, name := unitOf(text[digits:])
		if digits == 0 || unit == 0 {
			return 0, false
		}
		sum = addCapped(sum, text[:digits], unit)
		text = text[digits+len(name):]
	}
	return sum, true
}

func unitOf(text string) (time.Duration, string) {
	for _, u := range durationUnits {
		if strings.HasPrefix(text, u.name) {
			return u.unit, u.name
		}
	}
	return 0, ""
}

// addCapped is sum + digits*unit, or the longest duration if that is more.
func addCapped(sum time.Duration, digits string, unit time.Duration) time.Duration {
	var n time.Duration
	for _, d := range digits {
		if n > math.MaxInt64/10-1 {
			return math.MaxInt64
		}
		n = n*10 + time.Duration(d-'0')
	}
	if n > (math.MaxInt64-sum)/unit {
		return math.MaxInt64
	}
	return sum + n*unit
}
