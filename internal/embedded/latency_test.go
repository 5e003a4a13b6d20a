package embedded

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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

// BenchmarkCommitToFirstByte measures the same over a real socket, until the
// first byte of the body is there:
//
//	go test -run '^$' -bench CommitToFirstByte -benchtime 500x ./internal/embedded
func BenchmarkCommitToFirstByte(b *testing.B) {
	bench := newBench(b, Config{})
	web := httptest.NewServer(bench.server)
	defer web.Close()
	snap := bench.get(tagFeed("env", "x"))
	q := with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf", "live", "true")
	var took []time.Duration
	n := 0
	type first struct {
		at     time.Time
		offset string
		err    error
	}
	for b.Loop() {
		n++
		name := fmt.Sprint("n", n)
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, web.URL+"/v1/shape?"+q.Encode(), nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("x-exchange", name)
		got := make(chan first, 1)
		go func() {
			resp, err := web.Client().Do(r)
			if err != nil {
				got <- first{err: err}
				return
			}
			defer func() { _ = resp.Body.Close() }()
			_, err = io.ReadFull(resp.Body, make([]byte, 1))
			f := first{time.Now(), resp.Header.Get("electric-offset"), err}
			_, _ = io.Copy(io.Discard, resp.Body)
			got <- f
		}()
		bench.until(name+" to be held", func() bool { return bench.waiting[name] > 0 })
		bench.write(addRun, fmt.Sprint("r", n), "env", []string{"x"})
		committed := time.Now()
		f := <-got
		if f.err != nil {
			b.Fatal(f.err)
		}
		took = append(took, max(0, f.at.Sub(committed)))
		q.Set("offset", f.offset)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
}

// BenchmarkSnapshot measures a new shape of 50,000 runs, from the request until
// its last chunk has been read, in process.
func BenchmarkSnapshot(b *testing.B) {
	bench := newBench(b, Config{})
	bench.exec(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags", "createdAt")
		SELECT 'r' || i, 'run_' || i, 't', repeat('p', 300), '', '', 'env', 'p', 'q', '2026-08-21', '{x}', '2026-08-21' FROM generate_series(1, 50000) i`)
	q := with(tagFeed("env", "x"), "columns", `"id","taskIdentifier","createdAt","updatedAt","startedAt","delayUntil","queuedAt","expiredAt","completedAt","friendlyId","number","isTest","status","usageDurationMs","costInCents","baseCostInCents","ttl","payload","payloadType","metadata","metadataType","output","outputType","runTags","error","realtimeStreams"`)
	n := 0
	for b.Loop() {
		n++
		// Another parameter makes another shape.
		q := with(q, "where", q.Get("where")+` AND "createdAt" > $3`, "params[3]", fmt.Sprintf("2026-08-20T00:00:00.%03dZ", n))
		rows, size := 0, 0
		for {
			got := bench.get(q)
			size += len(got.body)
			rows += strings.Count(got.body, `"operation":"insert"`)
			if got.offset() == "0_inf" {
				break
			}
			q = with(q, "handle", got.handle(), "offset", got.offset())
		}
		if rows != 50000 {
			b.Fatalf("%d rows", rows)
		}
		b.SetBytes(int64(size))
	}
}
