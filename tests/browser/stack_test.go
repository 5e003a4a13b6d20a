package browser

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// stack is an installation in production's form: a database, an upstream and a
// gateway, each in a process of its own.
type stack struct {
	t        testing.TB
	database string
	db       *pgxpool.Pool
	demo     schema.Demo
	upstream string // base URL
	keys     string // of the gateway's cursors
	address  string // the gateway's, also after a restart
	children []*child
	gateway  *child // the last of them
	bell     *bell
	statuses map[int]int // under the bell: how often the gateway's log has each
}

func newStack(t testing.TB) *stack {
	t.Helper()
	s := &stack{t: t, database: pgtest.Database(t), address: freeAddress(t), bell: newBell(), statuses: make(map[int]int)}
	var err error
	if s.db, err = pgxpool.New(t.Context(), s.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // also of those that are started late: a browser that is started before them ends first
		for _, c := range slices.Backward(s.children) { // a gateway says so when its upstream is gone
			c.end(t)
		}
		s.db.Close()
	})
	if s.demo, err = schema.SeedDemo(t.Context(), s.db); err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	s.keys = hex.EncodeToString(key[:])
	origin := make(chan string, 1)
	c := s.program("the upstream", func(line []byte) {
		if url, ok := bytes.CutPrefix(line, []byte("shapes: ")); ok {
			origin <- string(url)
		}
	}, []string{"DATABASE_URL=" + s.database, "REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_SLOT=" + pgtest.Slot(t)}, "shapes")
	select {
	case s.upstream = <-origin:
	case <-c.done:
		t.Fatal("the upstream did not start")
	case <-time.After(patience):
		t.Fatal("the upstream did not say that it is ready")
	}
	s.startGateway()
	return s
}

// startGateway starts one on the stack's address with its cursor key, and returns
// when it takes requests.
func (s *stack) startGateway() {
	s.t.Helper()
	s.gateway = s.program("the gateway", nil, []string{
		"DATABASE_URL=" + s.database, "ELECTRIC_ORIGIN=" + s.upstream,
		"REALTIME_GW_CURSOR_KEYS=" + s.keys, "REALTIME_GW_ADDR=" + s.address,
	}, "serve")
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for !ready(ctx, s.url()+"/readyz") { // asked again at once: connecting takes its time, and it is not long
		select {
		case <-s.gateway.done:
			s.t.Fatal("the gateway ended before it was ready")
		case <-ctx.Done():
			s.t.Fatal("the gateway did not become ready")
		default:
		}
	}
}

func ready(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// program starts a command of the program under test. It has a clean
// environment: what is set where the tests run must not matter. Its log must
// show no panic, no data race and no error.
func (s *stack) program(name string, stdout func([]byte), env []string, args ...string) *child {
	s.t.Helper()
	cmd := exec.Command(built.program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_DRAIN=0s"}, env...)
	c := start(s.t, name, cmd, stdout, func(line []byte) {
		var entry struct {
			Level  string
			Status int
		}
		if json.Unmarshal(line, &entry) != nil || entry.Level == "error" {
			s.t.Errorf("%s: %s", name, line)
		}
		s.bell.change(func() { s.statuses[entry.Status]++ })
	})
	s.children = append(s.children, c)
	return c
}

// url is the base URL that the hooks are given.
func (s *stack) url() string { return "http://" + s.address }

// token is a public token, signed by the command for it.
func (s *stack) token(scopes ...string) string {
	s.t.Helper()
	cmd := exec.Command(built.program, "token", "--environment", s.demo.EnvironmentID, "--scope", strings.Join(scopes, ","))
	cmd.Env = []string{"DATABASE_URL=" + s.database}
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, failure.String())
	}
	return strings.TrimSpace(string(out))
}

// freeAddress is a loopback address that nobody listens on. Its port is below
// those that the system gives to outgoing connections, which could otherwise take
// it while a gateway is down; a client that tries to reach it could even connect
// to itself.
func freeAddress(t testing.TB) string {
	t.Helper()
	const lowest, count, tries = 20_000, 10_000, 100
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+mrand.IntN(count))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatalf("no free port from %d to %d in %d tries", lowest, lowest+count, tries)
	return ""
}
