package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// child is a program in a process of its own. Its log goes to a file, so that nobody
// has to read it while something is measured.
type child struct {
	name    string
	pid     int
	addr    string // where it serves, host:port
	metrics string // where it can be looked at; "" for nowhere
	log     string // the file
	cmd     *exec.Cmd
	gone    chan struct{} // closed when it has ended
}

// served and looked find the addresses in the lines that say that a server is up.
var (
	served = regexp.MustCompile(`"addr":"([^"]+)"`)
	looked = regexp.MustCompile(`"metrics":"([^"]+)"`)
)

// launch starts a program and returns when it serves.
func (l *lab) launch(ctx context.Context, name string, command []string, env ...string) (*child, error) {
	c, err := l.begin(name, command, env...)
	if err != nil {
		return nil, err
	}
	return c, c.await(ctx)
}

// begin starts a program.
func (l *lab) begin(name string, command []string, env ...string) (*child, error) {
	c := &child{name: name, cmd: exec.Command(command[0], command[1:]...), gone: make(chan struct{})}
	l.launched++
	c.log = filepath.Join(l.dir, fmt.Sprintf("%d-%s.log", l.launched, name))
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	c.cmd.Env = append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "REALTIME_GW_ADDR=127.0.0.1:0",
		"REALTIME_GW_METRICS_ADDR=127.0.0.1:0", "REALTIME_GW_DRAIN=0s"}, env...)
	c.cmd.Stderr = log
	// A group of its own: Ctrl-C is for this program, which then stops it.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	followParent(c.cmd.SysProcAttr)
	started := make(chan error, 1)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.pid = c.cmd.Process.Pid
	l.children = append(l.children, c)
	return c, nil
}

// run keeps the thread that started the child: the kernel's notice of a
// parent's death is tied to it.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	err := c.cmd.Start()
	started <- err
	if err == nil {
		_ = c.cmd.Wait() // whoever waits for an end knows what it means
	}
	close(c.gone)
}

// await reads the child's log until it says where it serves.
func (c *child) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		said, err := os.ReadFile(c.log)
		if err != nil {
			return err
		}
		if m := looked.FindSubmatch(said); m != nil {
			c.metrics = string(m[1])
		}
		if m := served.FindSubmatch(said); m != nil {
			c.addr = string(m[1])
			return nil
		}
		select {
		case <-tick.C:
		case <-c.gone:
			return fmt.Errorf("%s ended at once; it said:\n%s", c.name, c.said())
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w; it said:\n%s", c.name, context.Cause(ctx), c.said())
		}
	}
}

// over says whether the child has ended.
func (c *child) over() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// said is the end of the child's log.
func (c *child) said() []byte {
	const lines = 10
	said, _ := os.ReadFile(c.log)
	all := bytes.SplitAfter(said, []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], nil)
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
	return errors.New(c.name + " had to be killed: it did not end within " + patience.String())
}
