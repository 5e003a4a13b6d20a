package check_test

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/check"
)

// redis starts a real one with a password, and gives its address.
func redis(t *testing.T, more ...string) string {
	t.Helper()
	for range 20 { // somebody else may take the port first
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().(*net.TCPAddr)
		_ = l.Close()
		cmd := exec.Command("redis-server", append([]string{"--port", strconv.Itoa(at.Port), "--bind", "127.0.0.1", "--dir", t.TempDir(),
			"--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", sesame}, more...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatalf("no redis-server would start: install it (on Debian: scripts/install-missing): %v", err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // it may be gone
			_ = cmd.Wait()
		})
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "Ready to accept connections") {
				go func() { _, _ = io.Copy(io.Discard, out) }()
				return at.String()
			}
		}
	}
	t.Fatal("no redis-server found a port")
	return ""
}

// A Redis that is away, refuses us or does not count is found.
func TestRedis(t *testing.T) {
	good := redis(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	const (
		about = "REDIS_URL"
		set   = "set REDIS_URL to redis://:password@host:6379 of a Redis that is running, or unset it: then each instance counts its own"
		count = "set REDIS_URL to a primary, and to a user who may run scripts on keys that begin with tr:realtime:concurrency:"
	)
	for name, c := range map[string]struct {
		url  string
		want []found
	}{
		"well":           {"redis://:" + sesame + "@" + good, nil},
		"refused":        {"redis://:" + sesame + "@127.0.0.1:1", []found{{check.Error, about, "connection refused", set}}},
		"silent":         {"redis://:" + sesame + "@" + silent.Addr().String(), []found{{check.Error, about, "Redis cannot be asked", set}}},
		"no password":    {"redis://" + good, []found{{check.Error, about, "NOAUTH", set}}},
		"wrong password": {"redis://:another@" + good, []found{{check.Error, about, "WRONGPASS", set}}},
		"a replica":      {"redis://:" + sesame + "@" + redis(t, "--replicaof", "127.0.0.1 1"), []found{{check.Error, about, "Redis does not count: READONLY", count}}},
		"a mere reader": {"redis://reader:" + sesame + "@" + redis(t, "--user", "reader", "on", ">"+sesame, "~*", "+@read", "+@connection"), []found{
			{check.Error, about, "Redis does not count: NOPERM", count}}},
		"no URL": {"http://:" + sesame + "@" + good, []found{{check.Error, about, "not the URL of a Redis", set}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			patience := time.Minute
			if name == "silent" {
				patience = time.Second / 2
			}
			expect(t, look(t, check.Config{RedisURL: c.url, Patience: patience}), c.want...)
			if name == "silent" && time.Since(began) > time.Minute/2 {
				t.Errorf("waited %v", time.Since(began))
			}
		})
	}
}
