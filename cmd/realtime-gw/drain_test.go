package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// An instance is replaced under 500 subscribers who wait at it, while rows of some
// of them change: no error reaches one of them, none has to start over, and in the end all
// have every row in its last state. Those whose rows are quiet are sent away one after
// another. The instance is gone within its time.
func TestDrainUnderSubscribers(t *testing.T) {
	const many, few, drain = 400, 100, 4 * time.Second
	database, demo, pool := seeded(t)
	for _, tag := range []string{"busy", "quiet"} {
		createRuns(t, pool, demo.EnvironmentID, tag)
	}
	upstream := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, "shapes")
	env := []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "ELECTRIC_ORIGIN=" + served(t, upstream),
		"REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_METRICS_ADDR=127.0.0.1:0", "REALTIME_GW_DRAIN=" + drain.String(),
	}
	leaving, staying := run(t, env, "serve"), run(t, env, "serve")
	balancer := newBalancer(t)
	balancer.add(listens(t, leaving))
	metrics := metricsOf(t, leaving)
	before := scrape(t, metrics)

	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	end := func() {
		cancel()
		following.Wait()
	}
	defer end()
	var busy, quiet []*subscriber
	for range few {
		busy = append(busy, newSubscriber(balancer.url+"/realtime/v1/runs?tags=busy", demo.APIKey))
	}
	for range many {
		quiet = append(quiet, newSubscriber(balancer.url+"/realtime/v1/runs?tags=quiet", demo.APIKey))
	}
	for _, s := range slices.Concat(busy, quiet) {
		following.Go(func() { s.follow(ctx) })
	}
	untilGrown(t, metrics, before, map[string]float64{"realtime_gw_held_polls": many + few})

	balancer.add(listens(t, staying))
	began := time.Now()
	leaving.signal(syscall.SIGTERM)
	balancer.untilUnready(listens(t, leaving))
	if got := must(t, listens(t, leaving)+"/healthz", ""); got.status != http.StatusOK {
		t.Errorf("not ready any more, it answers %d", got.status)
	}
	writes := 0
	for tick := time.NewTicker(500 * time.Millisecond); ; writes++ {
		change(t, pool, strconv.Itoa(writes))
		select {
		case <-tick.C:
			continue
		case <-leaving.ended:
		}
		tick.Stop()
		break
	}
	if took, code := time.Since(began), leaving.wait(); code != 0 || took > drain+4*time.Second {
		t.Errorf("ended after %v with %d", took, code)
	}
	change(t, pool, "last")
	for _, s := range busy {
		s.until(2*runsEach, "metadata", "last")
	}
	fresh := newSubscriber(balancer.url+"/realtime/v1/runs?tags=busy", demo.APIKey)
	following.Go(func() { fresh.follow(ctx) })
	fresh.until(2*runsEach, "metadata", "last")
	end()
	verify(t, fresh, busy)
	verify(t, quiet[0], quiet)
	// A machine that is busy enough may not read a new connection in time, and close it.
	var retries []string
	for _, s := range slices.Concat(busy, quiet) {
		retries = append(retries, s.retries...)
	}
	if len(retries) > (many+few)/100 {
		t.Errorf("%d connections ended before an answer: %v", len(retries), retries[:3])
	}
	if len(quiet[0].rows) != 2*runsEach {
		t.Errorf("%d rows are quiet", len(quiet[0].rows))
	}
	var sent []time.Duration
	for _, s := range quiet {
		sent = append(sent, s.sent.Sub(began))
	}
	slices.Sort(sent)
	if early, late := sent[many/10], sent[many*9/10]; late-early < drain/3 {
		t.Errorf("a tenth were sent away after %v, nine tenths after %v", early, late)
	}
}

// verify sees that nothing was wrong, and that all have the same rows.
func verify(t *testing.T, want *subscriber, all []*subscriber) {
	t.Helper()
	faulty := 0
	for _, s := range append(all, want) {
		if len(s.faults) > 0 {
			if faulty++; faulty < 5 {
				t.Errorf("a subscriber saw: %v", s.faults)
			}
			continue
		}
		if diff := cmp.Diff(want.rows, s.rows); diff != "" {
			t.Fatalf("a subscriber has other rows:\n%s", diff)
		}
	}
	if faulty > 0 {
		t.Errorf("%d of %d subscribers were disturbed", faulty, len(all))
	}
}

// runsEach is how many runs of a tag there are in each table.
const runsEach = 3

func createRuns(t *testing.T, pool *pgxpool.Pool, environmentID, tag string) {
	t.Helper()
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	mint := runid.NewMinter(runid.MinterConfig{})
	for range runsEach {
		for _, table := range runid.Tables() {
			_, err := store.Create(t.Context(), runstore.NewRun{
				ID: mint.Mint(table), EnvironmentID: environmentID, ProjectID: "p", TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s", Tags: []string{tag},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// change writes a word into the busy runs of both tables, in a transaction each.
func change(t *testing.T, pool *pgxpool.Pool, word string) {
	t.Helper()
	for _, table := range []string{`"TaskRun"`, "task_run_v2"} {
		if _, err := pool.Exec(t.Context(), `UPDATE `+table+` SET metadata = $1 WHERE "runTags" @> ARRAY['busy']`, word); err != nil {
			t.Fatal(err)
		}
	}
}

// A second signal cuts a drain short, and the program ends in order all the same.
func TestASecondSignalCutsADrain(t *testing.T) {
	database, demo, _ := seeded(t)
	p := run(t, []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t),
		"REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_DRAIN=10h",
	}, "serve")
	origin := listens(t, p)
	if got := must(t, origin+"/realtime/v1/runs?offset=-1", demo.APIKey); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	p.signal(syscall.SIGTERM)
	p.err.until(t, "draining")
	if got := must(t, origin+"/readyz", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("in a drain it is ready: %d", got.status)
	}
	if got := must(t, origin+"/realtime/v1/runs?offset=-1", demo.APIKey); got.status != http.StatusOK {
		t.Errorf("who comes in a drain gets %d %s", got.status, got.body)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("ends with %d", code)
	}
}
