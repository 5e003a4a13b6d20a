package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/rs/zerolog"
)

// process is a running server, all of its processes taken together.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it takes connections
	gone  chan struct{} // closed when the last of its processes has ended

	mu   sync.Mutex
	tail []string // the last lines of its log

	err error // of the first process; read it after gone
}

// readyLine is what the server logs when it takes connections.
const readyLine = "database system is ready to accept connections"

// launch starts a server. It inherits lock, which is so held until its last
// process ends.
func launch(c cluster, bin binaries, settings map[string]string, lock *os.File, log zerolog.Logger) (*process, error) {
	args := []string{"-D", c.data}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("localpg: make a pipe for the server's log: %w", err)
	}
	cmd := exec.Command(bin.path("postgres"), args...)
	cmd.Dir = c.data
	cmd.Env = environment(c.data)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.ExtraFiles = []*os.File{lock}
	// Its own process group: Ctrl-C in a terminal is for the program, which then
	// stops the server when it is done with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner.credential(), Setpgid: true}
	followParent(cmd.SysProcAttr)

	p := &process{cmd: cmd, ready: make(chan struct{}), gone: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started, r, w, log)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("localpg: start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run starts the server and stays until it is gone. The kernel's notice of a
// parent's death is tied to the thread that started the child, so this goroutine
// keeps its thread, and the thread ends with it.
func (p *process) run(started chan<- error, r, w *os.File, log zerolog.Logger) {
	runtime.LockOSThread()
	err := p.cmd.Start()
	err = errors.Join(err, w.Close())
	if err != nil {
		started <- errors.Join(err, r.Close())
		return
	}
	started <- nil
	// Every process of the server has the pipe open, so its end is theirs.
	p.follow(r, log)
	_ = r.Close() // it was read to its end
	p.err = p.cmd.Wait()
	close(p.gone)
}

// follow reads the server's log.
func (p *process) follow(r *os.File, log zerolog.Logger) {
	const keep = 20
	ready := false
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		line = strings.TrimRight(line, "\n")
		if line != "" {
			log.Debug().Str("line", line).Msg("postgres")
			p.mu.Lock()
			p.tail = append(p.tail, line)
			p.tail = p.tail[max(0, len(p.tail)-keep):]
			p.mu.Unlock()
		}
		if !ready && strings.Contains(line, readyLine) {
			ready = true
			close(p.ready)
		}
		if err != nil {
			return
		}
	}
}

// said is the last part of the server's log.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "\n")
}

// portTaken says that the server ended because its port was not free.
func (p *process) portTaken() bool {
	return strings.Contains(p.said(), "could not bind") || strings.Contains(p.said(), "could not create any TCP/IP sockets")
}

// stop ends the server: as first says, and harder when ctx ends. It returns
// when the last of its processes has ended.
func (p *process) stop(ctx context.Context, first syscall.Signal) error {
	p.signal(first)
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-p.gone: // ctx had ended too, and it does not matter
		return nil
	default:
	}
	p.signal(syscall.SIGQUIT)
	// Postgres itself kills what does not end within five seconds of a SIGQUIT.
	<-p.gone
	return fmt.Errorf("localpg: the server did not stop in time and was stopped at once; it recovers at its next start: %w", ctx.Err())
}

// signal is for a server that may have ended by itself, which is no error.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }
