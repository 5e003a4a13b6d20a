package redistest

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

// Server is a Redis of a test's own.
type Server struct {
	port int
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
}

// Password is the servers', to be looked for in errors and logs.
const Password = "sesame-open"

// Start starts a server, and returns when it takes connections. It is killed when
// the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	for range 20 { // somebody else may take the port first
		if s, ok := launch(t, freePort(t)); ok {
			return s
		}
	}
	t.Fatal("no redis-server would start: install it (on Debian: scripts/install-missing)")
	return nil
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// launch is Start at a port; ok is false if the server ended before it took
// connections.
func launch(t testing.TB, port int) (s *Server, ok bool) {
	t.Helper()
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", Password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	followParent(cmd.SysProcAttr)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s = &Server{port: port, cmd: cmd, gone: make(chan struct{})}
	started := make(chan bool, 1)
	go s.run(out, started)
	if !<-started {
		return nil, false
	}
	t.Cleanup(s.Kill)
	return s, true
}

// Again starts another server in the place of one that was killed, with nothing
// in it.
func (s *Server) Again(t testing.TB) *Server {
	t.Helper()
	again, ok := launch(t, s.port)
	if !ok {
		t.Fatal("Redis did not start again")
	}
	return again
}

// run stays until the server is gone: the notice of a parent's death is tied to
// the thread that started the child.
func (s *Server) run(out io.ReadCloser, started chan<- bool) {
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

// Kill ends the server, and returns when it has ended.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may be gone
	<-s.gone
}

// Signal sends the server a signal.
func (s *Server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// URL is where the server is, with its password.
func (s *Server) URL() string { return fmt.Sprintf("redis://:%s@127.0.0.1:%d", Password, s.port) }

// Client is a connection of the test's own.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}
