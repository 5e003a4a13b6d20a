package gateway

import (
	"math"
	"math/big"
	"regexp"
	"testing"
	"time"
)

// naiveDuration reads the grammar with a regular expression, and adds in numbers
// that have no bound.
func naiveDuration(text string) (time.Duration, bool) {
	if !regexp.MustCompile(`^(?:[0-9]+(?:w|d|hr|h|m|s))+$`).MatchString(text) || len(text) > 100 {
		return 0, false
	}
	sum := new(big.Int)
	for _, part := range regexp.MustCompile(`([0-9]+)([a-z])`).FindAllStringSubmatch(text, -1) {
		n, _ := new(big.Int).SetString(part[1], 10)
		unit := map[string]time.Duration{"w": 168 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}[part[2]]
		sum.Add(sum, n.Mul(n, big.NewInt(int64(unit))))
	}
	if !sum.IsInt64() {
		return math.MaxInt64, true
	}
	return time.Duration(sum.Int64()), true
}

// FuzzParseDuration: what is a duration, and how long, is as in the naive model.
func FuzzParseDuration(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseDuration(text)
		if want, valid := naiveDuration(text); got != want || ok != valid {
			t.Fatalf("%q: %v, %v; want %v, %v", text, got, ok, want, valid)
		}
	})
}
