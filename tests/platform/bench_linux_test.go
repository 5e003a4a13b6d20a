package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// triggered is a way to trigger that is measured.
type triggered struct {
	synced  bool // Postgres syncs its log to the disk before it answers
	v2      bool // the organization's flag
	callers int
	pool    int // connections to Postgres; 0: the program's default
	keys    bool
}

func (m triggered) String() string {
	name := fmt.Sprintf("callers=%d", m.callers)
	if m.pool > 0 {
		name += fmt.Sprintf("/connections=%d", m.pool)
	}
	for _, part := range []struct {
		is      bool
		yes, no string
	}{{m.synced, "synced", "not-synced"}, {m.keys, "key", "plain"}, {m.v2, "v2", "legacy"}} {
		if part.is {
			name += "/" + part.yes
		} else {
			name += "/" + part.no
		}
	}
	return name
}

// window is how long each is measured.
const window = 5 * time.Second

// BenchmarkTriggerOverHTTP measures POST trigger of the program as it is run: `serve`
// in a process of its own, with a Postgres and a Redis on the same machine, and the
// callers in this process. Beside the rate and the times that callers see it reports
// the processor time that each of the four takes for a run, how often Postgres syncs its
// log for one, and of the machine's processors what the four had and what nobody wanted.
// Each way is measured once, for five seconds, whatever b.N is.
func BenchmarkTriggerOverHTTP(b *testing.B) {
	for _, synced := range []bool{false, true} {
		s := startStage(b, synced, 50_000)
		for _, load := range []struct{ callers, pool int }{{1, 0}, {8, 0}, {64, 0}, {64, 32}} {
			for _, keys := range []bool{false, true} {
				for _, v2 := range []bool{false, true} {
					m := triggered{synced, v2, load.callers, load.pool, keys}
					b.Run(m.String(), func(b *testing.B) { s.measure(b, m, window) })
				}
			}
		}
	}
}

// The benchmark measures what it says: runs are made in the table that the flag says,
// each of the four processes takes time for them, and Postgres syncs or does not.
func TestTheBenchmarkRuns(t *testing.T) {
	for _, synced := range []bool{false, true} {
		s := startStage(t, synced, 500)
		for _, v2 := range []bool{false, true} {
			got := s.measure(t, triggered{synced: synced, v2: v2, callers: 4, keys: true}, time.Second)
			if got.runs == 0 || got.postgres <= 0 || got.redis < 0 || got.program <= 0 || got.caller <= 0 || (got.syncs > 0) != synced {
				t.Errorf("synced %v, v2 %v: %+v", synced, v2, got)
			}
			for _, table := range runid.Tables() {
				if n := s.count(t, table); (n > 0) != ((table == runid.V2) == v2) {
					t.Errorf("flag %v: %d new runs in %s", v2, n, table)
				}
			}
		}
	}
}

// stage is a Postgres and a Redis, with an environment that has runs in both tables.
type stage struct {
	db    *localpg.Server
	dir   string
	admin *pgx.Conn
	url   string
	redis *redistest.Server
	demo  schema.Demo
	from  time.Time // when the last measurement began
}

func startStage(t testing.TB, synced bool, rows int) *stage {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // the server's user passes through
		t.Fatal(err)
	}
	db, err := localpg.Start(t.Context(), localpg.Config{Dir: dir, Disposable: !synced})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{db: db, dir: dir, redis: redistest.Start(t)}
	t.Cleanup(func() {
		if err := db.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := db.CreateDatabase(t.Context(), "runs"); err != nil {
		t.Fatal(err)
	}
	s.url = db.URL("runs")
	if s.admin, err = pgx.Connect(t.Context(), s.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.admin.Close(context.Background()) })
	if _, err := schema.Migrate(t.Context(), s.admin); err != nil {
		t.Fatal(err)
	}
	if s.demo, err = schema.SeedDemo(t.Context(), s.admin); err != nil {
		t.Fatal(err)
	}
	for _, table := range runid.Tables() { // plans for empty tables are not those of a platform at work
		_, err := s.admin.Exec(t.Context(), `
			INSERT INTO `+table.SQL()+` (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "idempotencyKey", "updatedAt", "createdAt")
			SELECT $3 || g, 'run_' || $3 || g, 'task', '{}', 't', 's', $1, $2, 'q', 'old' || g, now(), now() - interval '1 day' FROM generate_series(1, $4) g`,
			s.demo.EnvironmentID, s.demo.ProjectID, table.String(), rows)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.admin.Exec(t.Context(), "VACUUM ANALYZE "+table.SQL()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// count is how many runs a table has got since the last measurement began.
func (s *stage) count(t testing.TB, table runid.Table) (n int) {
	t.Helper()
	if err := s.admin.QueryRow(t.Context(), `SELECT count(*) FROM `+table.SQL()+` WHERE "createdAt" >= $1`, s.from).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// measured is what came of it: the runs, and what was taken for each.
type measured struct {
	times
	runs  int
	syncs float64
}

// measure starts the program, triggers for a time, and reports.
func (s *stage) measure(t testing.TB, m triggered, within time.Duration) measured {
	t.Helper()
	s.from = time.Now()
	syncsBefore := s.syncs(t)
	p, origin := s.serve(t, m.pool)
	dev{URL: origin, OrganizationID: s.demo.OrganizationID}.turn(t, m.v2)
	c := &caller{url: origin + "/api/v1/tasks/task/trigger", key: s.demo.APIKey, keys: m.keys, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: m.callers}, Timeout: patience,
	}}
	warm, _ := c.call(t, m.callers, within/5)
	before := s.times(t, p)
	took, wall := c.call(t, m.callers, within)
	after := s.times(t, p)
	c.client.CloseIdleConnections()
	p.interrupt(t)
	got := measured{times: after.since(before, len(took)), runs: len(took)}
	// Backends have told what they did when they have ended, which they have with the program.
	got.syncs = float64(s.syncs(t)-syncsBefore) / float64(max(1, len(took)+len(warm)))
	if b, ok := t.(*testing.B); ok {
		slices.Sort(took)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(len(took))/wall.Seconds(), "runs/s")
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(got.postgres.Microseconds()), "postgres-µs/run")
		b.ReportMetric(float64(got.redis.Microseconds()), "redis-µs/run")
		b.ReportMetric(float64(got.program.Microseconds()), "program-µs/run")
		b.ReportMetric(float64(got.caller.Microseconds()), "caller-µs/run")
		b.ReportMetric(got.syncs, "syncs/run")
		b.ReportMetric(100*float64(got.idle)/float64(got.machine), "idle-%")
		ours := (got.postgres + got.redis + got.program + got.caller) * time.Duration(got.runs)
		b.ReportMetric(100*float64(ours)/float64(got.machine), "ours-%")
	}
	return got
}

// serve starts the program as it is in production. Its upstream is never asked.
func (s *stage) serve(t testing.TB, pool int) (*child, string) {
	t.Helper()
	database, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	if pool > 0 {
		q := database.Query()
		q.Set("pool_max_conns", fmt.Sprint(pool))
		database.RawQuery = q.Encode()
	}
	cmd := exec.Command(binary, "serve")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DATABASE_URL=" + database.String(), "REDIS_URL=" + s.redis.URL(),
		"REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_CURSOR_KEYS=" + strings.Repeat("ab", 32), "REALTIME_GW_DRAIN=0s",
		"ELECTRIC_ORIGIN=http://127.0.0.1:1", "REALTIME_GW_PLATFORM_API=1", "REALTIME_GW_ADMIN_TOKEN=" + adminToken,
	}
	serving := make(chan string, 1)
	p := startChild(t, "the program", cmd, nil, func(line []byte) {
		var entry struct{ Level, Message, Addr string }
		if json.Unmarshal(line, &entry) != nil || entry.Level == "error" {
			t.Errorf("the program: %s", line)
		}
		if entry.Message == "serving" {
			serving <- entry.Addr
		}
	})
	select {
	case addr := <-serving:
		return p, "http://" + addr
	case <-p.done:
	case <-time.After(patience):
	}
	t.Fatal("the program did not become ready")
	return nil, ""
}

// caller triggers, each time a new run.
type caller struct {
	url, key string
	keys     bool
	client   *http.Client

	mu sync.Mutex
	n  int
}

// call has so many callers trigger, one run after the other, and gives the time that
// each took.
func (c *caller) call(t testing.TB, callers int, within time.Duration) (took []time.Duration, wall time.Duration) {
	t.Helper()
	var calling sync.WaitGroup
	began := time.Now()
	for range callers {
		calling.Go(func() {
			var mine []time.Duration
			for time.Since(began) < within && !t.Failed() {
				start := time.Now()
				if err := c.trigger(t.Context()); err != nil {
					t.Error(err)
				}
				mine = append(mine, time.Since(start))
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			took = append(took, mine...)
		})
	}
	calling.Wait()
	return took, time.Since(began)
}

func (c *caller) trigger(ctx context.Context) error {
	body := `{"payload":{"n":1}}`
	if c.keys {
		c.mu.Lock()
		c.n++
		body = fmt.Sprintf(`{"payload":{"n":1},"options":{"idempotencyKey":"key %d of %s"}}`, c.n, c.url)
		c.mu.Unlock()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	res, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || strings.Contains(string(text), `"isCached":true`) {
		return fmt.Errorf("not a new run: %d %s, %w", res.StatusCode, text, err)
	}
	return nil
}
