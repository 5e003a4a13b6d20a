package trigger_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// BenchmarkTrigger measures triggers from many goroutines on a pool of 8 connections,
// with Postgres and Redis on the same machine. The bare insert beside it is the same
// row through the store alone: what is left of the difference is this package's.
func BenchmarkTrigger(b *testing.B) {
	f := newFixture(b, shared(b, redistest.Start(b)))
	f.fill(b)
	var n atomic.Int64
	key := func() string { return fmt.Sprint("key ", n.Add(1)) }
	triggered := func(change func(*trigger.Request)) func() {
		return func() {
			if _, err := f.Trigger(context.Background(), request(change)); err != nil {
				panic(err)
			}
		}
	}
	parent := f.make(b, request())
	for _, table := range runid.Tables() {
		f.at(table)
		b.Run("insert/"+table.String(), func(b *testing.B) {
			load(b, func() {
				_, err := f.store.Create(context.Background(), runstore.NewRun{
					ID: f.mint.Mint(table), EnvironmentID: ours.ID, ProjectID: ours.ProjectID, TaskIdentifier: "task", Payload: `{"n":1}`, TraceID: "t", SpanID: "s",
				})
				if err != nil {
					panic(err)
				}
			})
		})
		b.Run("plain/"+table.String(), func(b *testing.B) { load(b, triggered(func(*trigger.Request) {})) })
		b.Run("child/"+table.String(), func(b *testing.B) {
			load(b, triggered(func(r *trigger.Request) { r.ParentRun = parent.FriendlyID }))
		})
		b.Run("key/"+table.String(), func(b *testing.B) {
			load(b, triggered(func(r *trigger.Request) { r.IdempotencyKey = key() }))
		})
		b.Run("key again/"+table.String(), func(b *testing.B) {
			load(b, triggered(func(r *trigger.Request) { r.IdempotencyKey = "the same" }))
		})
	}
}

// fill puts 50,000 runs with keys into each table, half of them the benchmark's
// environment's: the plans for empty tables are not those of a platform at work.
func (f *fixture) fill(b *testing.B) {
	b.Helper()
	for _, table := range runid.Tables() {
		_, err := f.pool.Exec(context.Background(), `
			INSERT INTO `+table.SQL()+` (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "idempotencyKey", "updatedAt")
			SELECT $2 || g, 'run_' || $2 || g, 'task', '{}', 't', 's', CASE g % 2 WHEN 0 THEN $1 ELSE 'env_' || g % 100 END, 'p', 'q', 'old' || g, now()
			FROM generate_series(1, 50000) g`, ours.ID, table.String())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.pool.Exec(context.Background(), "VACUUM ANALYZE "+table.SQL()); err != nil {
			b.Fatal(err)
		}
	}
}

// load has 32 goroutines do a thing b.N times in all, and reports how many were done
// a second, how long one takes, and what processor time of this process it took:
// the rest is Postgres' and Redis'.
func load(b *testing.B, do func()) {
	const workers = 32
	var left atomic.Int64
	left.Store(int64(b.N))
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	before, began := cpu(), time.Now()
	for range workers {
		wg.Go(func() {
			var mine []time.Duration
			for left.Add(-1) >= 0 {
				start := time.Now()
				do()
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	wg.Wait()
	wall := time.Since(began)
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.N)/wall.Seconds(), "a-second")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "own-cpu-µs")
}

// cpu is the processor time that this process has taken.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
