package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is one realtime-gw in a process of its own.
type child struct {
	name string
	pid  int
	addr string // where it serves, host:port
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended

	mu   sync.Mutex
	tail []string // the last lines of its log
}

// served finds the address in the line that says that a server is up.
var served = regexp.MustCompile(`"addr":"([^"]+)"`)

// launch runs a command of the program and returns when it serves.
func launch(ctx context.Context, program, command string, env ...string) (*child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &child{name: command, cmd: exec.Command(program, command), gone: make(chan struct{})}
	c.cmd.Env = append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_DRAIN=0s"}, env...)
	c.cmd.Stderr = w
	// A group of its own: Ctrl-C is for the bench, which then stops it.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	followParent(c.cmd.SysProcAttr)
	started, addr := make(chan error, 1), make(chan string, 1)
	go c.run(started, addr, r, w)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	c.pid = c.cmd.Process.Pid
	select {
	case c.addr = <-addr:
		return c, nil
	case <-c.gone:
		return nil, fmt.Errorf("%s ended at once; it said:\n%s", command, c.said())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), c.stop())
	}
}

// run keeps the thread that started the child: the kernel's notice of a
// parent's death is tied to it.
func (c *child) run(started chan<- error, addr chan<- string, r, w *os.File) {
	runtime.LockOSThread()
	err := c.cmd.Start()
	_ = w.Close()
	started <- err
	if err == nil {
		c.follow(r, addr)
		_ = c.cmd.Wait() // whoever waits for an end knows what it means
	}
	_ = r.Close()
	close(c.gone)
}

// follow reads the child's log, and sends the address that it names first.
func (c *child) follow(r io.Reader, addr chan<- string) {
	const keep = 10
	found := false
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadString('\n')
		if !found {
			if m := served.FindStringSubmatch(line); m != nil {
				found = true
				addr <- m[1]
			}
		}
		c.mu.Lock()
		c.tail = append(c.tail, line)
		c.tail = c.tail[max(0, len(c.tail)-keep):]
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *child) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.tail, "")
}

// stop asks the child to end, and makes it end when it does not.
func (c *child) stop() error {
	const patience = 10 * time.Second
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // gone already is as well
	select {
	case <-c.gone:
		return nil
	case <-time.After(patience):
	}
	_ = c.cmd.Process.Kill()
	<-c.gone
	return fmt.Errorf("%s had to be killed: it did not end within %s", c.name, patience)
}
