package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// patience bounds each wait for what should come soon. It is far above what anything
// takes, because machines that test are busy.
const patience = 2 * time.Minute

// lab is what benchmarks work with: a database, an upstream, what they start in
// addition, and where they write to.
type lab struct {
	plan
	out      io.Writer
	dir      string
	postgres *localpg.Server
	pool     *pgxpool.Pool
	demo     schema.Demo
	upstream *child
	key      string // of cursors
	columns  string // the schema of a feed of all columns, in JSON
	children []*child
	launched int
	feeds    int // made so far
	commits  int // made so far: the number of the last
	missed   []string
}

// window is how far back the feeds reach. It is the longest there is, so that
// the floor of new readers, a 24th of it, does not move during a run.
const window = 30 * 24 * time.Hour

// open makes and starts what all benchmarks need.
func open(ctx context.Context, p plan, out io.Writer) (_ *lab, err error) {
	l := &lab{plan: p, out: out}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.dir, err = os.MkdirTemp("", "realtime-gw-load-*"); err != nil {
		return nil, err
	}
	// Postgres, which may be another user, passes through: everything is then in
	// this one directory, and a program that was killed leaves nothing elsewhere.
	if err := os.Chmod(l.dir, 0o711); err != nil {
		return nil, err
	}
	if l.program == "" {
		l.program = filepath.Join(l.dir, "realtime-gw")
		args := []string{"build", "-o", l.program}
		if l.race {
			args = append(args, "-race")
		}
		build := exec.CommandContext(ctx, "go", append(args, "github.com/realtime-gw/realtime-gw/cmd/realtime-gw")...)
		if said, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build realtime-gw: %w\n%s", err, said)
		}
	} else if l.program, err = filepath.Abs(l.program); err != nil {
		return nil, err
	}
	if err := l.database(ctx); err != nil {
		return nil, err
	}
	key := make([]byte, cursor.MinKey)
	_, _ = rand.Read(key) // never fails
	l.key = hex.EncodeToString(key)
	l.upstream, err = l.shapes(ctx)
	return l, err
}

func (l *lab) database(ctx context.Context) (err error) {
	l.postgres, err = localpg.Start(ctx, localpg.Config{Dir: l.postgresDir(), Disposable: true,
		Settings: map[string]string{"max_wal_size": "4GB"}}) // no checkpoint in the middle
	if err != nil {
		return err
	}
	if err := l.postgres.CreateDatabase(ctx, "load"); err != nil {
		return err
	}
	if l.pool, err = pgxpool.New(ctx, l.postgres.URL("load")); err != nil {
		return err
	}
	if _, err := schema.Migrate(ctx, l.pool); err != nil {
		return err
	}
	l.demo, err = schema.SeedDemo(ctx, l.pool)
	return err
}

func (l *lab) postgresDir() string { return filepath.Join(l.dir, "postgres") }

// close ends what was started, those who depend on others first.
func (l *lab) close() error {
	errs := []error{l.stop(l.children...)}
	http.DefaultClient.CloseIdleConnections()
	if l.pool != nil {
		l.pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if l.postgres != nil {
		errs = append(errs, l.postgres.Stop(ctx))
	}
	if l.dir != "" {
		// The cluster lies elsewhere if its user cannot reach the directory.
		errs = append(errs, localpg.Remove(ctx, l.postgresDir()), os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}

// stop ends children, the last first.
func (l *lab) stop(children ...*child) error {
	var errs []error
	for i := range children {
		errs = append(errs, children[len(children)-1-i].stop())
	}
	return errors.Join(errs...)
}
