package clients

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
	"strconv"
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
	address  string // the gateway's
	gateway  *child
	expected string // what an error in the log of a program may say
}

// newStack starts one. chunkBytes is where the upstream ends a chunk of a shape;
// 0 is its default.
func newStack(t testing.TB, chunkBytes int) *stack {
	t.Helper()
	return newStackBehind(t, chunkBytes, func(upstream string) string { return upstream }, "")
}

// newStackBehind starts one whose gateway asks what stands between it and the
// upstream, given the URL of that, and may log expected as an error.
func newStackBehind(t testing.TB, chunkBytes int, between func(upstream string) string, expected string) *stack {
	t.Helper()
	s := &stack{expected: expected, t: t, database: pgtest.Database(t), address: freeAddress(t)}
	var err error
	if s.db, err = pgxpool.New(t.Context(), s.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	if s.demo, err = schema.SeedDemo(t.Context(), s.db); err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	s.keys = hex.EncodeToString(key[:])
	s.startUpstream(chunkBytes)
	s.upstream = between(s.upstream)
	s.gateway = s.startGateway(s.address)
	return s
}

func (s *stack) startUpstream(chunkBytes int) {
	s.t.Helper()
	env := []string{"DATABASE_URL=" + s.database, "REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_SLOT=" + pgtest.Slot(s.t)}
	if chunkBytes > 0 {
		env = append(env, "REALTIME_GW_CHUNK_BYTES="+strconv.Itoa(chunkBytes))
	}
	origin := make(chan string, 1)
	c := s.program("the upstream", func(line []byte) {
		if url, ok := bytes.CutPrefix(line, []byte("shapes: ")); ok {
			origin <- string(url)
		}
	}, env, "shapes")
	select {
	case s.upstream = <-origin:
	case <-c.done:
		s.t.Fatal("the upstream did not start")
	case <-time.After(patience):
		s.t.Fatal("the upstream did not say that it is ready")
	}
}

// startGateway starts an instance on an address, and returns when it is ready.
func (s *stack) startGateway(address string) *child {
	s.t.Helper()
	c := s.launchGateway(address)
	s.awaitReady(c, address)
	return c
}

// launchGateway starts an instance and does not wait for it.
func (s *stack) launchGateway(address string) *child {
	s.t.Helper()
	return s.program("the gateway", nil, []string{
		"DATABASE_URL=" + s.database, "ELECTRIC_ORIGIN=" + s.upstream,
		"REALTIME_GW_CURSOR_KEYS=" + s.keys, "REALTIME_GW_ADDR=" + address,
	}, "serve")
}

// program starts a command of the program under test. It has a clean
// environment: what is set where the tests run must not matter. Its log must
// show no panic, no data race and no error.
func (s *stack) program(name string, stdout func([]byte), env []string, args ...string) *child {
	s.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_DRAIN=0s"}, env...)
	return startChild(s.t, name, cmd, stdout, func(line []byte) {
		var entry struct{ Level, Message string }
		if json.Unmarshal(line, &entry) != nil || entry.Level == "error" && (s.expected == "" || entry.Message != s.expected) {
			s.t.Errorf("%s: %s", name, line)
		}
	})
}

// awaitReady asks an instance until it takes requests.
func (s *stack) awaitReady(c *child, address string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if status, _ := get(ctx, client, "http://"+address+"/readyz", ""); status == http.StatusOK {
			return
		}
		select {
		case <-c.done:
			s.t.Fatalf("the gateway ended before it was ready:\n%s", c.errors())
		case <-ctx.Done():
			s.t.Fatal("the gateway did not become ready")
		default: // asked again at once: connecting takes its time, and it is not long
		}
	}
}

// get asks once.
func get(ctx context.Context, client *http.Client, url, token string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// url is the base URL that clients are given.
func (s *stack) url() string { return "http://" + s.address }

// token is a public token, signed by the command for it.
func (s *stack) token(scope string) string {
	s.t.Helper()
	cmd := exec.Command(binary, "token", "--environment", s.demo.EnvironmentID, "--scope", scope)
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
