package browser

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// child is a program that a test started. On Linux it ends with the test program
// at the latest, whatever becomes of that.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all it wrote was read

	mu     sync.Mutex
	stderr bytes.Buffer
}

// start starts a program. What it writes goes to the functions a line at a time,
// from a goroutine for each of the two streams; nil drops it. Who starts it ends
// it.
func start(t testing.TB, name string, cmd *exec.Cmd, stdout, stderr func(line []byte)) *child {
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
	return c
}

// end kills it, and if the test failed logs the end of its standard error.
func (c *child) end(t testing.TB) {
	c.kill(t)
	if t.Failed() {
		const most = 4 << 10
		c.mu.Lock()
		defer c.mu.Unlock()
		text := c.stderr.String()
		t.Logf("%s wrote to standard error:\n%s", c.name, text[max(0, len(text)-most):])
	}
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

// kill ends it as kill -9 does, and returns when it is gone, and with it all that
// hold its streams. It may have ended.
func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill %v: %v", c.cmd.Args, err)
	}
	<-c.done
}
