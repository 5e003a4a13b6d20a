package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

// startTime bounds what this package does with the cluster, far above what any
// of it takes.
const startTime = time.Minute

// shared is the cluster of this test program. It is the one variable here, and
// stands for what is one in fact: the program's own server. Main stops it.
var shared cluster

// cluster starts a server when it is first asked for one.
type cluster struct {
	once   sync.Once
	server *localpg.Server
	dir    string
	err    error

	template sync.Once
	made     error
}

// Main runs the tests, stops the cluster, fails if a goroutine was left behind,
// and ends the program. Options are goleak's.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(runner{m}, options...)
}

// runner stops the cluster between the tests and the look for goroutines.
type runner struct{ m *testing.M }

func (r runner) Run() int {
	code := r.m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return max(code, 1)
	}
	return code
}

// start gives the server, started once.
func (c *cluster) start() (*localpg.Server, error) {
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		sweep(ctx, os.TempDir(), time.Now())
		c.dir, c.err = os.MkdirTemp("", dirPattern)
		if c.err != nil {
			return
		}
		// The server may run as another user, who must get through.
		if c.err = os.Chmod(c.dir, 0o711); c.err != nil {
			return
		}
		c.server, c.err = localpg.Start(ctx, localpg.Config{Dir: c.dir, Disposable: true})
	})
	return c.server, c.err
}

func (c *cluster) stop() error {
	if c.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		if err := c.server.Stop(ctx); err != nil {
			return err
		}
	}
	if c.dir == "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}
