package limits_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// server is a real Redis of a test's own, with nothing in it and nothing kept.
type server struct {
	port int
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
}

// password is the server's, to be looked for in errors and logs.
const password = "sesame-open"

func startServer(t *testing.T) *server {
	t.Helper()
	for range 20 { // somebody else may take the port first
		if s, ok := launch(t, freePort(t)); ok {
			return s
		}
	}
	t.Fatal("no redis-server would start: install it (on Debian: scripts/install-missing)")
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// launch starts a server and waits until it takes connections; ok is false if
// it ended before that. It is killed when the test ends.
func launch(t *testing.T, port int) (s *server, ok bool) {
	t.Helper()
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	followParent(cmd.SysProcAttr)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s = &server{port: port, cmd: cmd, gone: make(chan struct{})}
	started := make(chan bool, 1)
	go s.run(out, started)
	if !<-started {
		return nil, false
	}
	t.Cleanup(s.kill)
	return s, true
}

// run stays until the server is gone: the notice of a parent's death is tied to
// the thread that started the child.
func (s *server) run(out io.ReadCloser, started chan<- bool) {
	runtime.LockOSThread()
	defer close(s.gone)
	if s.cmd.Start() != nil {
		started <- false
		return
	}
	ready := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !ready && strings.Contains(lines.Text(), "Ready to accept connections") {
			ready = true
			started <- true
		}
	}
	_ = s.cmd.Wait() // killed, which is no news
	if !ready {
		started <- false
	}
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone
	<-s.gone
}

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (s *server) url() string { return fmt.Sprintf("redis://:%s@127.0.0.1:%d", password, s.port) }

// client is a connection of the test's own.
func (s *server) client(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(s.url())
	if err != nil {
		t.Fatal(err)
	}
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}
