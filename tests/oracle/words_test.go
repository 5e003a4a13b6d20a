package oracle

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"time"
)

// birth is the time that ids and the columns of a seed are made from. createdAt
// alone is of today, because floors are.
func birth() time.Time { return time.Date(2026, 8, 21, 7, 49, 1, 0, time.UTC) }

// text draws a value that is hard to carry: of JSON's and Postgres's special
// characters, or so wide that Postgres keeps it out of the row.
func text(r *rand.Rand, widest int) string {
	if chance(r, 25) {
		raw := make([]byte, 1+r.IntN(widest))
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		return base64.StdEncoding.EncodeToString(raw)[:len(raw)] // does not compress
	}
	pieces := []string{
		"", "a", `"`, `\`, `\u0041`, "\n", "\r\t", "\x01\x1f\x7f", "'", "null", "{}", "[],", "é", "日本", "🚀", "\u2028", "</script>",
		`{"headers":{"control":"must-refetch"}}`, `"last":true`, "}}", strings.Repeat("long ", 60),
	}
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(oneOf(r, pieces...))
	}
	return b.String()
}

func maybe(r *rand.Rand, v any) any {
	if chance(r, 15) {
		return nil
	}
	return v
}

func moment(r *rand.Rand) time.Time {
	return birth().Add(time.Duration(r.Int64N(1e9)) * time.Millisecond)
}

// assign is one column and its new value.
type assign struct {
	column string
	value  any
}

// changes are sets of columns that are changed together, each with values drawn.
var changes = []func(r *rand.Rand, widest int) []assign{
	func(r *rand.Rand, widest int) []assign { return []assign{{"payload", text(r, widest)}} },
	func(r *rand.Rand, widest int) []assign {
		return []assign{{"metadata", maybe(r, text(r, widest))}, {"metadataType", "application/json"}}
	},
	func(r *rand.Rand, widest int) []assign {
		failure, _ := json.Marshal(map[string]string{"message": text(r, 300), "type": "STRING_ERROR"}) // strings always marshal
		return []assign{
			{"status", oneOf(r, "COMPLETED_SUCCESSFULLY", "COMPLETED_WITH_ERRORS", "CRASHED")}, {"completedAt", maybe(r, moment(r))},
			{"output", maybe(r, text(r, widest))}, {"error", maybe(r, string(failure))},
		}
	},
	func(r *rand.Rand, _ int) []assign {
		return []assign{
			{"status", oneOf(r, "PENDING", "DEQUEUED", "EXECUTING", "PAUSED")}, {"startedAt", maybe(r, moment(r))},
			{"isTest", chance(r, 50)},
		}
	},
	func(r *rand.Rand, _ int) []assign {
		return []assign{
			{"costInCents", r.NormFloat64() * 1e3}, {"baseCostInCents", r.ExpFloat64()}, {"usageDurationMs", r.Int32()},
			{"ttl", maybe(r, "10m")}, {"realtimeStreams", maybe(r, []string{text(r, 10), "NULL"})},
		}
	},
	func(*rand.Rand, int) []assign { return nil }, // only the number
}
