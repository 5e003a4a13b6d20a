package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// beProgram in the environment makes the test program the program itself, with
// the race detector in it.
const beProgram = "REALTIME_GW_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) != "" {
		main()
		os.Exit(0)
	}
	pgtest.Main(m)
}

// patience bounds what should come soon: a cluster is made within it.
const patience = time.Minute

// process is the program, running.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err *watched
	ended    chan struct{}
}

// run starts the program with these arguments, and with nothing in its
// environment but what the system needs and env, "NAME=value".
func run(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), out: newWatched(), err: newWatched(), ended: make(chan struct{})}
	p.cmd.Env = append([]string{beProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GORACE=halt_on_error=1", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"), "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_DRAIN=2s"}, env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal is for it alone
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		p.out.close()
		p.err.close()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%v said\n%s\n%s", args, p.out, p.err)
		}
	})
	return p
}

// wait gives the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("still running after %v", patience)
		return 0
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// watched collects what a process says, and lets a test wait for a word of it.
type watched struct {
	mu     sync.Mutex
	cond   *sync.Cond
	text   bytes.Buffer
	closed bool
}

func newWatched() *watched {
	w := &watched{}
	w.cond = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.cond.Broadcast()
	return w.text.Write(p)
}

func (w *watched) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.cond.Broadcast()
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// until waits for a text, and gives all that was said.
func (w *watched) until(t *testing.T, text string) string {
	t.Helper()
	late := time.AfterFunc(patience, w.close)
	defer late.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for !strings.Contains(w.text.String(), text) {
		if w.closed {
			t.Fatalf("never said %q", text)
		}
		w.cond.Wait()
	}
	return w.text.String()
}

// processesIn are the processes that work in a directory, as every process of a
// Postgres does in its data's.
func processesIn(t *testing.T, dir string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && (strings.HasPrefix(at, dir+"/") || strings.HasPrefix(at, real+"/")) {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// untilNothingIn waits until no process works in a directory. A process that was
// told to end needs a moment, and gives no signal to a stranger.
func untilNothingIn(t *testing.T, dir string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(5 * time.Millisecond); len(processesIn(t, dir)) > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v are left", processesIn(t, dir))
		}
	}
}

// stateDir is a directory for dev that the user of its Postgres can reach.
func stateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "state")
}

// shell runs a line as a person would.
func shell(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out.String()
}
