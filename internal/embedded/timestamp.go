package embedded

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// timestamp is a timestamp without time zone: microseconds since 1970, with
// Postgres's infinities at the ends of the range.
type timestamp int64

const (
	minusInfinity timestamp = math.MinInt64
	infinity      timestamp = math.MaxInt64
)

// String is the form that Postgres reads back as the same instant.
func (t timestamp) String() string {
	return time.UnixMicro(int64(t)).UTC().Format("2006-01-02 15:04:05.000000")
}

// parseBound reads the timestamp of a request: ISO 8601 with four digits of
// year, "T" or a space, up to six digits of fraction. A time zone is read and
// ignored, which is what Postgres does when it reads a timestamp without one.
func parseBound(s string) (timestamp, bool) {
	t, rest, ok := parseClock(s)
	if !ok {
		return 0, false
	}
	return t, rest == "" || zone(rest)
}

// parseStoredTimestamp reads what Postgres writes under DateStyle ISO.
func parseStoredTimestamp(s string) (timestamp, bool) {
	switch s {
	case "infinity":
		return infinity, true
	case "-infinity":
		return minusInfinity, true
	}
	date, bc := strings.CutSuffix(s, " BC")
	if bc {
		// All that a bound of four digits needs to know: before every one.
		return minusInfinity + 1, true
	}
	if year, _, ok := strings.Cut(date, "-"); ok && len(year) > 4 && digits(year) {
		return infinity - 1, true
	}
	t, rest, ok := parseClock(s)
	return t, ok && rest == ""
}

// parseClock reads "YYYY-MM-DD[T ]HH:MM[:SS[.f]]" and returns what follows.
func parseClock(s string) (timestamp, string, bool) {
	const short, long = len("2006-01-02T15:04"), len("2006-01-02T15:04:05")
	if len(s) < short || s[10] != 'T' && s[10] != ' ' || !digits(s[:4]) || s[:4] == "0000" {
		return 0, "", false
	}
	layout, n := "2006-01-02 15:04", short
	if len(s) >= long && s[short] == ':' {
		layout, n = "2006-01-02 15:04:05", long
	}
	t, err := time.Parse(layout, s[:10]+" "+s[11:n])
	if err != nil {
		return 0, "", false
	}
	micro, rest := int64(0), s[n:]
	if n == long && strings.HasPrefix(rest, ".") {
		end := 1
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		if end > 7 {
			return 0, "", false
		}
		if micro, err = strconv.ParseInt((rest[1:end] + "000000")[:6], 10, 64); err != nil {
			return 0, "", false
		}
		rest = rest[end:]
	}
	return timestamp(t.UnixMicro() + micro), rest, true
}

// zone says whether s is "Z" or an offset in hours, with or without minutes.
func zone(s string) bool {
	if s == "Z" || s == "z" {
		return true
	}
	if s[0] != '+' && s[0] != '-' {
		return false
	}
	s = s[1:]
	if len(s) == 5 && s[2] == ':' {
		s = s[:2] + s[3:]
	}
	if len(s) != 2 && len(s) != 4 || !digits(s) {
		return false
	}
	return s[:2] <= "15" && (len(s) == 2 || s[2:] <= "59")
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
