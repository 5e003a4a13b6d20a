package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// checked runs check, and gives the lines that are not green, each with what
// mends it, and the exit code.
func checked(t *testing.T, env []string, flags ...string) (faults []string, code int) {
	t.Helper()
	p := run(t, env, append([]string{"check"}, flags...)...)
	code = p.wait()
	for line := range strings.Lines(p.out.String()) {
		if strings.HasPrefix(line, "error ") || strings.HasPrefix(line, "warning ") {
			faults = append(faults, line)
		} else if mend, ok := strings.CutPrefix(line, "  mend:  "); ok {
			faults[len(faults)-1] += mend
		}
	}
	for _, secret := range []string{sesame, goodKey, "0badcafe"} {
		if strings.Contains(p.out.String()+p.err.String(), secret) {
			t.Errorf("repeats a secret: %s%s", p.out, p.err)
		}
	}
	return faults, code
}

// A right configuration is green, and serve works with it. It is green as well
// while that one runs: check takes nothing from it.
func TestCheckIsGreen(t *testing.T) {
	database, demo, _ := seeded(t)
	env := []string{
		"DATABASE_URL=" + database, "DATABASE_READ_REPLICA_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey,
		"REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:" + port(t),
	}
	green := func(when string) {
		t.Helper()
		if faults, code := checked(t, env); code != 0 || len(faults) != 0 {
			t.Errorf("%s: %d %q", when, code, faults)
		}
	}
	green("before")
	if p := run(t, env, "healthcheck"); p.wait() == 0 {
		t.Error("healthy, and nothing runs")
	}
	serving := run(t, env, "serve")
	if got := must(t, served(t, serving)+"/realtime/v1/runs?offset=-1", demo.APIKey); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	green("meanwhile")
	if p := run(t, env, "healthcheck"); p.wait() != 0 {
		t.Error("not healthy, and it serves")
	}
	serving.signal(syscall.SIGTERM)
	if code := serving.wait(); code != 0 {
		t.Errorf("serve ends with %d", code)
	}
	green("after")
}

// port is one that was free a moment ago.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// An upstream in a process of its own is what check says of it: well, and open.
func TestCheckOfShapes(t *testing.T) {
	database := pgtest.Database(t)
	upstream := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, "shapes")
	env := []string{"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "ELECTRIC_ORIGIN=" + served(t, upstream)}
	faults, code := checked(t, env)
	if code != 0 || len(faults) != 1 || !strings.Contains(faults[0], "Electric asks for no secret") {
		t.Errorf("%d %q", code, faults)
	}
	upstream.signal(os.Interrupt)
	upstream.wait()
	if faults, code := checked(t, env); code != 1 || len(faults) != 1 || !strings.Contains(faults[0], "connection refused") {
		t.Errorf("without it: %d %q", code, faults)
	}
}

// Everything that is wrong is said in one run.
func TestCheckSaysAll(t *testing.T) {
	faults, code := checked(t, []string{
		"DATABASE_URL=postgres://u:" + sesame + "@127.0.0.1:1/x", "DATABASE_READ_REPLICA_URL=postgres://u:" + sesame + "@%zz/",
		"REALTIME_GW_CURSOR_KEYS=" + goodKey + ",0badcafe", "ELECTRIC_ORIGIN_SHARDS=http://127.0.0.1:1,electric:3000", "ELECTRIC_SECRET=" + sesame,
		"REDIS_URL=redis://:" + sesame + "@127.0.0.1:1", "REALTIME_CONCURRENCY_LIMIT=many", "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS=1",
		"REALTIME_GW_LOG_LEVEL=loud", "REALTIME_GW_ADDR=nonsense",
	})
	if code != 1 {
		t.Errorf("ends with %d", code)
	}
	want := []string{
		`REALTIME_CONCURRENCY_LIMIT cannot be read: expected a valid 64 bit int but got "many"`, `REALTIME_GW_LOG_LEVEL is "loud"`,
		"DATABASE_READ_REPLICA_URL is not a Postgres connection URL", "REALTIME_GW_CURSOR_KEYS: key 2 is not 32 bytes or more in hex",
		"ELECTRIC_ORIGIN_SHARDS, number 2: the Electric origin is not an http or https URL", "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS is 1",
		"REALTIME_GW_ADDR: address nonsense: missing port in address", "DATABASE_URL: it cannot be reached", "ELECTRIC_ORIGIN_SHARDS, number 1: Electric cannot be reached",
		"REDIS_URL: Redis cannot be asked",
	}
	for i, w := range want {
		if i >= len(faults) || !strings.Contains(faults[i], w) {
			t.Errorf("%d: want %s in %q", i, w, faults[min(i, len(faults)-1)])
		}
	}
	if len(faults) != len(want) {
		t.Errorf("%d faults, want %d: %q", len(faults), len(want), faults)
	}
}

// The command that is printed makes the tables that are missing.
func TestCheckLeadsToMigrate(t *testing.T) {
	database := pgtest.Empty(t)
	env := []string{"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t)}
	faults, code := checked(t, env)
	if code != 1 || len(faults) != 7 {
		t.Errorf("an empty database: %d %q", code, faults)
	}
	for _, fault := range faults {
		_, mend, _ := strings.Cut(fault, "\n")
		if line, _, _ := strings.Cut(mend, " -- "); line != "realtime-gw migrate" {
			t.Errorf("%q", fault)
		}
	}
	if p := run(t, env, "migrate"); p.wait() != 0 {
		t.Error("migrate fails")
	}
	if faults, code := checked(t, env); code != 0 || len(faults) != 0 {
		t.Errorf("after migrate: %d %q", code, faults)
	}
}

// checkFinds runs check with what serve refused.
func checkFinds(t *testing.T, env []string, names, says string) {
	t.Helper()
	faults, code := checked(t, env)
	for _, fault := range faults {
		if strings.Contains(fault, names) && strings.Contains(fault, says) {
			if code != 1 {
				t.Errorf("check ends with %d", code)
			}
			return
		}
	}
	t.Errorf("check does not say %s and %q: %q", names, says, faults)
}

// A gateway that answers, and takes no requests, is not healthy.
func TestHealthcheckOfOneThatIsNotReady(t *testing.T) {
	var answer atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(int(answer.Load()))
		}
	}))
	t.Cleanup(server.Close)
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		answer.Store(int64(status))
		p := run(t, []string{"REALTIME_GW_ADDR=" + server.Listener.Addr().String()}, "healthcheck")
		if code := p.wait(); (code == 0) != (status == http.StatusOK) {
			t.Errorf("%d: ends with %d, %s", status, code, p.err)
		}
	}
}

// The health check asks where the gateway listens.
func TestLoopback(t *testing.T) {
	for addr, want := range map[string]string{":3030": "127.0.0.1:3030", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "127.0.0.1:1", "10.0.0.1:1": "10.0.0.1:1", "[::1]:1": "[::1]:1"} {
		got, err := loopback(addr)
		if _, bad := url.Parse("http://" + got); err != nil || got != want || bad != nil {
			t.Errorf("%s: %s, %v", addr, got, err)
		}
	}
	if _, err := loopback("nonsense"); err == nil {
		t.Error("nonsense is an address")
	}
}
