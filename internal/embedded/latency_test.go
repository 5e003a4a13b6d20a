package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkCommitToAnswer measures from the moment the writer knows of its
// commit until a held reader has the whole answer, in process.
func BenchmarkCommitToAnswer(b *testing.B) {
	bench := newBench(b, Config{})
	snap := bench.get(tagFeed("env", "x"))
	q := with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf", "live", "true")
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		held := bench.hold(fmt.Sprint("n", n), q)
		bench.write(addRun, fmt.Sprint("r", n), "env", []string{"x"})
		committed := time.Now()
		got := bench.answer(held)
		took = append(took, time.Since(committed))
		q.Set("offset", got.offset())
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
}
