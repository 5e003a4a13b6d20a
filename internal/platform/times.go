package platform

import (
	"regexp"
	"strconv"
	"time"
)

// Times that are stored are in these years: Postgres would refuse others, and
// JavaScript's own end before.
const (
	firstYear = 1970
	lastYear  = 9999
)

// parseTime reads a time of a query: milliseconds since 1970, which SDKs send, or
// a date as JSON has it.
func parseTime(text string) (at time.Time, problem string) {
	const wrong = "is neither a date nor milliseconds since 1970"
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		at = time.UnixMilli(ms).UTC()
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		if at, err = time.Parse(time.DateOnly, text); err != nil {
			return time.Time{}, wrong
		}
	}
	if year := at.UTC().Year(); year < firstYear || year > lastYear {
		return time.Time{}, wrong
	}
	return at.UTC(), ""
}

var periodPart = regexp.MustCompile(`^(\d{1,9})(w|d|hr|h|m|s)`)

var units = map[string]time.Duration{
	"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "hr": time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second,
}

// longest is how far back a list may be asked for, or how far ahead a run be
// delayed: a hundred years.
const longest = 100 * 365 * 24 * time.Hour

// parsePeriod reads the platform's durations: numbers with units, added up, such
// as 1d12h.
func parsePeriod(text string) (sum time.Duration, ok bool) {
	if text == "" || len(text) > 100 {
		return 0, false
	}
	for text != "" {
		part := periodPart.FindStringSubmatch(text)
		if part == nil {
			return 0, false
		}
		n, _ := strconv.Atoi(part[1]) // nine digits are a number
		if unit := units[part[2]]; time.Duration(n) > (longest-sum)/unit {
			return 0, false
		} else {
			sum += time.Duration(n) * unit
		}
		text = text[len(part[0]):]
	}
	return sum, true
}
