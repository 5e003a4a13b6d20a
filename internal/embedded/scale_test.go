package embedded

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// BenchmarkChangeAmongShapes measures what the follower does with one change of a
// run when one of 10, 1,000 or 10,000 shapes selects it, without Postgres:
//
//	go test -run '^$' -bench ChangeAmongShapes -benchtime 10s ./internal/embedded
//
// The shapes take turns in one round, so that all see the machine in the same
// mood; counted is the time of the thread, not of the clock. It fails when the
// medians of a hundred rounds or more differ by more than 20 %.
func BenchmarkChangeAmongShapes(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	counts := []int{10, 1000, 10_000}
	var servers []*follower
	var selected []*shape
	for _, n := range counts {
		f, sh := followerOf(n)
		servers, selected = append(servers, f), append(selected, sh)
	}
	const batch = 500
	took := make([][]float64, len(counts))
	lsn := replication.LSN(1 << 20)
	for b.Loop() {
		for i, f := range servers {
			change := runChange(counts[i] / 2)
			start := cpuTime(b)
			for range batch {
				lsn += 100
				f.Begin(replication.Transaction{XID: 7, CommitLSN: lsn})
				f.Change(change)
				f.Commit()
			}
			took[i] = append(took[i], float64((cpuTime(b)-start).Nanoseconds())/batch)
			sh := selected[i]
			if n := len(sh.log.entries); n != batch || f.server.ledger.memory.Load() != sh.charged {
				b.Fatalf("of %d changes the shape has %d; all shapes have %d bytes, it %d", batch, n, f.server.ledger.memory.Load(), sh.charged)
			}
			sh.charge(-sh.charged)
			sh.log = shapeLog{chunkBytes: 10 << 20} // as if it were new
		}
	}
	least, most := 1e18, 0.0
	for i, n := range counts {
		slices.Sort(took[i])
		median := took[i][len(took[i])/2]
		b.ReportMetric(median, fmt.Sprintf("ns/change-of-%d", n))
		least, most = min(least, median), max(most, median)
	}
	b.ReportMetric(100*(most/least-1), "%-apart")
	if len(took[0]) >= 100 && most > 1.2*least {
		b.Errorf("the cost of a change differs by %.0f %%", 100*(most/least-1))
	}
}

// followerOf is a follower of a server with n shapes that follow: half of them on
// a tag of an environment of many, half on a single run; and the one that
// runChange(n / 2) concerns.
func followerOf(n int) (_ *follower, selected *shape) {
	s := &Server{
		tables: map[replication.Table]*tableIndex{runRelation.Table: newTableIndex()},
		shapes: make(map[string]*shape), former: make(map[string]*shape),
	}
	s.cfg = Config{}.withDefaults()
	schema := &tableSchema{oid: 1, table: runRelation.Table}
	for i, c := range runRelation.Columns {
		schema.columns = append(schema.columns, columnSchema{name: c.Name, typeOID: c.TypeOID, modifier: -1, pkIndex: min(0, -i)})
	}
	for i := range n {
		d := &definition{table: runRelation.Table, columns: []string{"c03", "c04", "c05", "id", "runTags"}}
		d.where = []condition{{op: equals, column: "id", values: []string{fmt.Sprint("other", i)}}}
		if i >= n/2 {
			d.where = []condition{
				{op: equals, column: scopeColumn, values: []string{fmt.Sprint("env", i%100)}},
				{op: contains, column: "runTags", values: []string{fmt.Sprint("tag", i)}},
			}
		}
		q, bad := bind(d, schema)
		if bad != nil {
			panic(bad)
		}
		sh := newShape(fmt.Sprint(i), d.identity(), q, &s.cfg, &s.ledger, time.Now(), func() {})
		sh.phase, sh.complete, sh.writing = following, true, false
		s.shapes[sh.identity] = sh
		s.tables[runRelation.Table].add(sh)
		if i == n/2 {
			selected = sh
		}
	}
	return &follower{server: s}, selected
}

// runRelation is as wide as the run table.
var runRelation = func() *replication.Relation {
	r := &replication.Relation{OID: 1, Table: replication.Table{Schema: "public", Name: "TaskRun"}}
	for _, n := range []string{"id", scopeColumn, "runTags"} {
		r.Columns = append(r.Columns, replication.Column{Name: n, TypeOID: oidText, Modifier: -1})
	}
	r.Columns[2].TypeOID = oidTextArray
	for i := 3; i < 60; i++ {
		r.Columns = append(r.Columns, replication.Column{Name: fmt.Sprintf("c%02d", i), TypeOID: oidText, Modifier: -1})
	}
	return r
}()

// runChange is an update of a run with the tag that the i-th shape selects.
func runChange(i int) replication.Change {
	c := replication.Change{Kind: replication.Update, Relation: runRelation}
	for _, row := range []*replication.Tuple{&c.Old, &c.New} {
		*row = make(replication.Tuple, len(runRelation.Columns))
		for j := range *row {
			(*row)[j].Text = "some value"
		}
		(*row)[1].Text = fmt.Sprint("env", i%100)
		(*row)[2].Text = fmt.Sprintf("{other,tag%d}", i)
	}
	c.New[4].Text = "another value"
	return c
}

// BenchmarkTenThousandShapes makes 10,000 shapes of a few rows, as ever so many
// readers at once would, and reports what they cost. It fails above 10 kB and one
// file for a hundred shapes, and when the median answer to a change takes more
// than 5 ms:
//
//	go test -run '^$' -bench TenThousandShapes -benchtime 1x ./internal/embedded
func BenchmarkTenThousandShapes(b *testing.B) {
	const count, readers = 10_000, 64
	for b.Loop() {
		bench := newBench(b, Config{})
		bench.exec(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags")
			SELECT 'r' || i, 'run_' || i, 't', '{}', '', '', 'env', 'p', 'q', '2026-08-21', ARRAY['t' || i] FROM generate_series(1, 1000) i`)
		bench.exec(`CREATE INDEX ON "TaskRun" USING gin ("runTags")`)
		files, heap := openFiles(b), heapBytes()
		start := time.Now()
		var wg sync.WaitGroup
		work := make(chan int)
		for range readers {
			wg.Go(func() {
				for i := range work {
					if got := bench.do(bench.request(b.Context(), tagFeed("env", fmt.Sprint("t", i)))); got.status != 200 {
						b.Errorf("shape %d: %d %s %v", i, got.status, got.body, got.err)
					}
				}
			})
		}
		for i := range count {
			work <- i
		}
		close(work)
		wg.Wait()
		b.ReportMetric(float64(count)/time.Since(start).Seconds(), "shapes/s")
		if n := len(bench.server.all()); n != count {
			b.Errorf("%d shapes are there", n)
		}
		each, more := float64(heapBytes()-heap)/count, openFiles(b)-files
		b.ReportMetric(each, "B/shape")
		b.ReportMetric(float64(more), "more-files")
		if each > 10_000 || more > count/100 {
			b.Errorf("a shape takes %.0f bytes, and all of them %d files", each, more)
		}
		var took []time.Duration
		snap := bench.get(tagFeed("env", "t5"))
		q := with(tagFeed("env", "t5"), "handle", snap.handle(), "offset", "0_inf", "live", "true")
		for i := range 100 {
			held := bench.hold(fmt.Sprint("h", i), q)
			bench.write(addRun, fmt.Sprint("new", i), "env", []string{"t5"})
			committed := time.Now()
			got := bench.answer(held)
			took = append(took, time.Since(committed))
			q.Set("offset", got.offset())
		}
		slices.Sort(took)
		median := took[len(took)/2]
		b.ReportMetric(float64(median.Microseconds()), "µs/median-answer")
		if median > 5*time.Millisecond {
			b.Errorf("the median answer came %v after its commit", median)
		}
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func openFiles(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
