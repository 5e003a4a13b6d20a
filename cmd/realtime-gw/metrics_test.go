package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

const (
	feedRoute = `route="/realtime/v1/runs"`
	runRoute  = `route="/realtime/v1/runs/{run}"`
)

func requestsOf(route, outcome string) string {
	return `realtime_gw_http_requests_total{outcome="` + outcome + `",` + route + `}`
}

// What is asked of the program, and what becomes of it, is what its metrics say: each
// number moves by what was done, and by nothing else.
func TestMetricsAreTrue(t *testing.T) {
	database, demo, pool := seeded(t)
	runsInBoth(t, pool, demo)
	p := run(t, []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t),
		"REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_METRICS_ADDR=127.0.0.1:0", "REALTIME_CONCURRENCY_LIMIT=3",
	}, "serve")
	metrics, origin := metricsOf(t, p), listens(t, p)
	const path = "/realtime/v1/runs?tags=demo&"
	start := scrape(t, metrics)
	if start["realtime_gw_ready"] != 1 || start["realtime_gw_embedded_connects_total"] != 1 || start["realtime_gw_embedded_shapes"] != 0 {
		t.Errorf("at first: %v", start)
	}

	// Requests that are not held, by what became of them.
	at := must(t, origin+path+"offset=-1", demo.APIKey)
	again := must(t, origin+path+at.place(), demo.APIKey)
	refused := 0
	for target, c := range map[string]struct {
		credential string
		status     int
	}{
		path + "offset=-1":                                   {"tr_dev_wrong", 401},
		path + "offset=-1&offset=-1":                         {demo.APIKey, 400},
		path + "offset=7_0&handle=AAAA":                      {demo.APIKey, 409},
		"/realtime/v1/runs/run_nobody12?offset=-1":           {demo.APIKey, 404},
		"/realtime/v1/runs/run_nobody12?offset=-1&offset=-1": {demo.APIKey, 400},
	} {
		got := must(t, origin+target, c.credential)
		if got.status != c.status {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
		if strings.HasPrefix(target, path) {
			refused += len(got.body)
		}
	}
	caught := untilGrown(t, metrics, start, map[string]float64{
		requestsOf(feedRoute, "ok"): 2, requestsOf(feedRoute, "unauthorized"): 1, requestsOf(feedRoute, "bad_request"): 1,
		requestsOf(feedRoute, "must_refetch"): 1, requestsOf(runRoute, "not_found"): 1, requestsOf(runRoute, "bad_request"): 1,
		`realtime_gw_must_refetch_total{cause="foreign_cursor"}`:                                  1,
		`realtime_gw_http_response_bytes_total{` + feedRoute + `}`:                                float64(len(at.body) + len(again.body) + refused),
		`realtime_gw_http_request_duration_seconds_count{` + feedRoute + `}`:                      5,
		`realtime_gw_cache_requests_total{cache="environment_by_key",outcome="miss"}`:             2, // the right key and the wrong one
		`realtime_gw_cache_requests_total{cache="environment_by_key",outcome="hit"}`:              5,
		`realtime_gw_cache_requests_total{cache="run",outcome="miss"}`:                            1,
		`realtime_gw_embedded_shapes`:                                                             2,
		`realtime_gw_held_polls`:                                                                  0,
		`realtime_gw_upstream_calls_total{kind="wait",outcome="ok",table="TaskRun"}`:              0,
		`realtime_gw_upstream_calls_total{kind="read",outcome="refused",table="task_run_v2"}`:     0,
		`realtime_gw_upstream_calls_total{kind="read",outcome="unavailable",table="task_run_v2"}`: 0,
	})
	if caught.since(start, `realtime_gw_upstream_calls_total{kind="read",outcome="ok",table="TaskRun"}`) < 2 {
		t.Error("two catch-ups took less than two reads")
	}

	// Three wait at one place, which two calls serve; a fourth has no slot.
	var held []<-chan answer
	for range 3 {
		held = append(held, hold(t, origin+path+"live=true&"+again.place(), demo.APIKey))
	}
	holding := untilGrown(t, metrics, caught, map[string]float64{"realtime_gw_held_polls": 3, "realtime_gw_flights": 2})
	if got := must(t, origin+path+"live=true&"+again.place(), demo.APIKey); got.status != 429 {
		t.Errorf("a fourth: %d", got.status)
	}
	d := dev{process: p, state: map[string]string{"databaseUrl": database, "environmentId": demo.EnvironmentID}}
	d.write() // two transactions
	bytes := float64(len(`{"error":"Too many concurrent requests"}`))
	for _, h := range held {
		got := <-h
		if l, v := rows(got.body); got.status != 200 || l+v == 0 {
			t.Errorf("the held poll: %d %s", got.status, got.body)
		}
		bytes += float64(len(got.body))
	}
	told := untilGrown(t, metrics, holding, map[string]float64{
		requestsOf(feedRoute, "ok"): 3, requestsOf(feedRoute, "limited"): 1, "realtime_gw_limit_rejections_total": 1,
		"realtime_gw_held_polls": -3, `realtime_gw_http_response_bytes_total{` + feedRoute + `}`: bytes,
		"realtime_gw_embedded_commit_delay_seconds_count": 2,
	})
	// Whoever landed first took the three along; what the other side had may have come too.
	if n := told.since(holding, "realtime_gw_flight_waiters_sum"); n < 3 || n > 6 {
		t.Errorf("%v waited for news", n)
	}
	if told["realtime_gw_embedded_commit_delay_seconds_sum"] > 2*patience.Seconds() || told["realtime_gw_embedded_memory_bytes"] <= 0 {
		t.Errorf("commits took %v s in all", told["realtime_gw_embedded_commit_delay_seconds_sum"])
	}
	if sum := told.since(holding, `realtime_gw_http_request_duration_seconds_sum{`+feedRoute+`}`); sum < 0 || sum > patience.Seconds() {
		t.Errorf("without their holds they took %v s", sum)
	}

	// Writes to other tables are behind in the log as well, until Postgres says so.
	for _, name := range []string{"realtime_gw_embedded_lag_bytes", "realtime_gw_embedded_slot_retained_bytes"} {
		if lag, ok := told[name]; !ok || lag < 0 || lag > 1<<30 {
			t.Errorf("%s is %v, %v", name, lag, ok)
		}
	}
	at = must(t, origin+path+at.place(), demo.APIKey)
	if _, err := pool.Exec(t.Context(), `TRUNCATE "TaskRun"`); err != nil {
		t.Fatal(err)
	}
	poll := hold(t, origin+path+"live=true&"+at.place(), demo.APIKey)
	if got := <-poll; got.status != 409 {
		t.Errorf("after TRUNCATE: %d %s", got.status, got.body)
	}
	untilGrown(t, metrics, told, map[string]float64{
		`realtime_gw_must_refetch_total{cause="shape_gone"}`: 1, requestsOf(feedRoute, "must_refetch"): 1, "realtime_gw_embedded_losses_total": 0,
	})
	for _, secret := range []string{demo.APIKey, demo.EnvironmentID, "demo", goodKey} {
		if strings.Contains(must(t, metrics+"/metrics", "").body, secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
}

// runsInBoth gives the environment a run in each table, so that its feeds have both.
func runsInBoth(t *testing.T, pool *pgxpool.Pool, demo schema.Demo) {
	t.Helper()
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	mint := runid.NewMinter(runid.MinterConfig{})
	for _, table := range runid.Tables() {
		if _, err := store.Create(t.Context(), runstore.NewRun{
			ID: mint.Mint(table), EnvironmentID: demo.EnvironmentID, ProjectID: demo.ProjectID, TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s",
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// An upstream that fails is seen to fail, and how many clients gave up.
func TestMetricsOfAFailingUpstream(t *testing.T) {
	database, demo, pool := seeded(t)
	runsInBoth(t, pool, demo)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(upstream.Close)
	p := run(t, []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "ELECTRIC_ORIGIN=" + upstream.URL,
		"REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_METRICS_ADDR=127.0.0.1:0",
	}, "serve")
	metrics, origin := metricsOf(t, p), listens(t, p)
	start := scrape(t, metrics)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	const clients = 2 // of feeds with two shapes each: three that fail open the circuit
	left := make(chan error, clients)
	for _, tag := range []string{"a", "b"} {
		go func() {
			_, err := ask(ctx, origin+"/realtime/v1/runs?offset=-1&tags="+tag, demo.APIKey)
			left <- err
		}()
	}
	failing := untilGrown(t, metrics, start, map[string]float64{
		`realtime_gw_upstream_circuit_open{origin="1"}`: 1, `realtime_gw_upstream_failing_shapes{origin="1"}`: 4,
	})
	retries := failing[`realtime_gw_upstream_retries_total{origin="1"}`]
	calls := failing[`realtime_gw_upstream_calls_total{kind="read",outcome="unavailable",table="TaskRun"}`] +
		failing[`realtime_gw_upstream_calls_total{kind="read",outcome="unavailable",table="task_run_v2"}`]
	if calls < 4 || retries < 4 {
		t.Errorf("%v calls failed, %v were made again", calls, retries)
	}
	leave()
	for range clients {
		if err := <-left; err == nil {
			t.Error("an answer of an upstream that has none")
		}
	}
	untilGrown(t, metrics, start, map[string]float64{requestsOf(feedRoute, "client_gone"): clients, requestsOf(feedRoute, "unavailable"): 0})
}

// Metrics are served where they were asked for, or not at all; profiles only to this
// machine. A default that is taken is no reason not to serve.
func TestMetricsAddress(t *testing.T) {
	database, _, _ := seeded(t)
	env := func(addr ...string) []string {
		return append([]string{"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "ELECTRIC_ORIGIN=http://127.0.0.1:1", "REALTIME_GW_ADDR=127.0.0.1:0"}, addr...)
	}
	profiles := func(addr string) int {
		p := run(t, env("REALTIME_GW_METRICS_ADDR="+addr), "serve")
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(metricsOf(t, p), "http://"))
		origin := "http://127.0.0.1:" + port
		if scrape(t, origin)["realtime_gw_flights"] != 0 {
			t.Error("there are flights")
		}
		return must(t, origin+"/debug/pprof/goroutine?debug=1", "").status
	}
	if status := profiles("127.0.0.1:0"); status != 200 {
		t.Errorf("no profile for this machine: %d", status)
	}
	if status := profiles("0.0.0.0:0"); status != 404 {
		t.Errorf("a profile for everybody: %d", status)
	}
	// Whoever has it, we or another, it is taken.
	if taken, err := net.Listen("tcp", defaultMetricsAddr); err == nil {
		t.Cleanup(func() { _ = taken.Close() })
	}
	p := run(t, env("REALTIME_GW_METRICS_ADDR="), "serve")
	listens(t, p)
	if said := p.err.String(); !strings.Contains(said, `"level":"warn"`) || !strings.Contains(said, "REALTIME_GW_METRICS_ADDR") {
		t.Errorf("it does not say that there are no metrics: %s", said)
	}
	p = run(t, env("REALTIME_GW_METRICS_ADDR="+defaultMetricsAddr), "serve")
	if code := p.wait(); code <= 0 || !strings.Contains(p.err.String(), "REALTIME_GW_METRICS_ADDR") {
		t.Errorf("ends with %d and %s", code, p.err)
	}
	p = run(t, env("REALTIME_GW_METRICS_ADDR=off"), "serve")
	listens(t, p)
	if strings.Contains(p.err.String(), "metrics") {
		t.Errorf("off, it says %s", p.err)
	}
}
