package platform

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// child is a program that a test started. It ends with the test at the latest,
// and on Linux with the test program, whatever becomes of that.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended and all it wrote was read

	mu     sync.Mutex
	stderr bytes.Buffer
}

// startChild starts a program. What it writes goes to the functions a line at a
// time, from a goroutine for each of the two streams; nil drops it. A test that
// fails logs the end of the standard error of all its children.
func startChild(t testing.TB, name string, cmd *exec.Cmd, stdout, stderr func(line []byte)) *child {
	t.Helper()
	c := &child{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = dieWithUs()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { eachLine(out, stdout) })
	readers.Go(func() {
		eachLine(log, func(line []byte) {
			c.mu.Lock()
			c.stderr.Write(append(line, '\n'))
			c.mu.Unlock()
			if stderr != nil {
				stderr(line)
			}
		})
	})
	go func() {
		defer close(c.done)
		readers.Wait()
		_ = cmd.Wait() // killed, most often
	}()
	t.Cleanup(func() {
		c.kill(t)
		if text := c.errors(); t.Failed() && text != "" {
			const most = 6 << 10
			t.Logf("%s wrote to standard error:\n%s", name, text[max(0, len(text)-most):])
		}
	})
	return c
}

// eachLine reads to the end, of lines of any length.
func eachLine(r io.Reader, do func(line []byte)) {
	reader := bufio.NewReader(r)
	for {
		line, err := reader.ReadBytes('\n')
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 && do != nil {
			do(line)
		}
		if err != nil {
			return
		}
	}
}

// kill ends it as kill -9 does, and returns when it is gone. It may have ended.
func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill %s: %v", c.name, err)
	}
	<-c.done
}

// interrupt ends it as Ctrl-C does, and returns when it is gone.
func (c *child) interrupt(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("interrupt %s: %v", c.name, err)
	}
	select {
	case <-c.done:
		if code := c.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s ended with exit code %d after an interrupt", c.name, code)
		}
	case <-time.After(patience):
		t.Errorf("%s did not end after an interrupt", c.name)
	}
}

// errors is what it wrote to standard error so far.
func (c *child) errors() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stderr.String()
}
