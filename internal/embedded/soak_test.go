package embedded

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkMillionChanges inserts 200,000 runs in one transaction, then writes
// 1,000,000 changes of them in transactions of 500, past a server with 200 shapes.
// One feed that selects every run is followed to the end, under one handle. The
// heap must stay below 64 MiB, which is what logs alone may take up, and flat: no
// more than a quarter higher in the second half. It takes minutes:
//
//	go test -run '^$' -bench MillionChanges -benchtime 1x -timeout 60m ./internal/embedded
func BenchmarkMillionChanges(b *testing.B) {
	const total, runs = 1_000_000, 200_000
	for b.Loop() {
		bench := newBench(b, Config{MemoryBytes: 64 << 20, KeepFor: time.Second})
		stop := make(chan struct{})
		defer close(stop)
		go func() { // the time by which shapes are given up is the real one here
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					bench.later(100 * time.Millisecond)
				}
			}
		}()
		for i := range 200 {
			bench.get(tagFeed("env", fmt.Sprint("t", i)))
		}
		feed := with(tagFeed("env"), "columns", "id,number")
		bench.get(feed)
		bench.exec(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt")
			SELECT 'r' || i, 'run_' || i, 't', '{}', '', '', 'env', 'p', 'q', '2026-08-21' FROM generate_series(1, $1) i`, runs)
		b.Logf("after one transaction of %d rows: heap %d MiB", runs, heapBytes()>>20)
		handle := bench.get(feed).handle()
		followed := make(chan int)
		go func() { // the follower: every change, in order, under one handle
			seen := 0
			defer func() { followed <- seen }()
			q := with(feed, "handle", handle, "offset", "0_inf", "live", "true")
			for seen < total {
				got := bench.do(bench.request(b.Context(), q))
				if got.status != 200 || got.handle() != handle {
					b.Errorf("after %d changes: %d %s, %v", seen, got.status, got.handle(), got.err)
					return
				}
				seen += strings.Count(got.body, `"operation":`)
				q.Set("offset", got.offset())
			}
		}()
		start := time.Now()
		written, half := 0, [2]int64{} // the largest heap of either half
		note := func(n int) {
			written += n
			bench.caughtUp()
			heap := heapBytes()
			b.Logf("%7d changes, %3.0f s: heap %4d MiB, counted %4d MiB, %d shapes", written, time.Since(start).Seconds(),
				heap>>20, bench.server.ledger.memory.Load()>>20, len(bench.server.all()))
			h := &half[min(1, 2*(written-1)/total)]
			*h = max(*h, heap)
		}
		for written < total {
			const step = 50_000
			for from := 0; from < step; from += 500 {
				at := (written + from) % runs
				bench.write(`UPDATE "TaskRun" SET number = number + 1 WHERE id IN (SELECT 'r' || i FROM generate_series($1::int + 1, $1::int + 500) i)`, at)
			}
			note(step)
		}
		if seen := <-followed; seen != total {
			b.Errorf("the follower has seen %d changes", seen)
		}
		b.ReportMetric(float64(total)/time.Since(start).Seconds(), "changes/s")
		b.ReportMetric(float64(half[0]>>20), "MiB-most-of-first-half")
		b.ReportMetric(float64(half[1]>>20), "MiB-most-of-second-half")
		if most := max(half[0], half[1]); most > 64<<20 || half[1] > half[0]+half[0]/4 {
			b.Errorf("the heap grew to %d MiB in the first half and to %d MiB in the second", half[0]>>20, half[1]>>20)
		}
	}
}
