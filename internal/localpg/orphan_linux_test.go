package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// startChild runs a program of its own that runs a server in dir.
func startChild(t *testing.T, dir string) (cmd *exec.Cmd, url string) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test has not
	return cmd, firstLine(t, out)
}

// descendants opens every process below pid, so that its end can be waited for.
func descendants(t *testing.T, pid int) (fds []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.PidfdOpen(child, 0)
			if errors.Is(err, unix.ESRCH) {
				continue // it has ended already
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
			fds = append(append(fds, fd), descendants(t, child)...)
		}
	}
	return fds
}

// gone waits for the end of each process.
func gone(t *testing.T, fds []int) {
	t.Helper()
	for _, fd := range fds {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(poll, 30_000)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n != 1 {
				t.Fatalf("a process of the server is still there after 30 s (%v)", err)
			}
			break
		}
	}
}

func TestNothingOutlivesItsParent(t *testing.T) {
	for name, c := range map[string]struct {
		signal syscall.Signal
		clean  bool // the child ends by itself, with code 0
	}{
		"killed with -9": {syscall.SIGKILL, false},
		"SIGTERM":        {syscall.SIGTERM, true},
		"SIGINT":         {syscall.SIGINT, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := stateDir(t)
			cmd, url := startChild(t, dir)
			run(t, url, "CREATE TABLE kept AS SELECT 'still here' AS v")
			client, err := pgx.Connect(soon(t), url) // it has a process of its own there
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close(context.Background()) })
			all := descendants(t, cmd.Process.Pid)
			if len(all) < 6 { // the first process, checkpointer, writers, launchers, the client's
				t.Fatalf("the server has %d processes", len(all))
			}
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); (err == nil) != c.clean {
				t.Errorf("the child ended with %v", err)
			}
			gone(t, all)
			s := mustStart(t, Config{Dir: dir})
			if got := query(t, s.URL("postgres"), "SELECT v FROM kept"); got != "still here" {
				t.Errorf("after a restart: %q", got)
			}
		})
	}
}

// The next start may come before the last one's server has ended: it waits.
func TestStartRightAfterAKill(t *testing.T) {
	dir := stateDir(t)
	cmd, url := startChild(t, dir)
	run(t, url, "CREATE TABLE kept AS SELECT 'still here' AS v")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its error is the kill
	s := mustStart(t, Config{Dir: dir})
	if got := query(t, s.URL("postgres"), "SELECT v FROM kept"); got != "still here" {
		t.Errorf("after a restart: %q", got)
	}
}
