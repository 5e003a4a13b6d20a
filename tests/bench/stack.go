package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// stack is everything that is measured, running.
type stack struct {
	dir      string
	postgres *localpg.Server
	pool     *pgxpool.Pool
	demo     schema.Demo
	changed  [2][]string // ids of the runs that commits change, in each table
	upstream *child
	gateway  *child
}

// window is how far back the feeds reach. It is the longest there is, so that
// the floor of new readers, a 24th of it, does not move during a run.
const window = 30 * 24 * time.Hour

// start makes and starts everything. The runs are there before the upstream is:
// what it holds of them is then what it needs to serve them.
func start(ctx context.Context, p plan) (_ *stack, err error) {
	st := &stack{}
	program := p.program
	defer func() {
		if err != nil {
			err = errors.Join(err, st.stop())
		}
	}()
	if st.dir, err = os.MkdirTemp("", "realtime-gw-bench-*"); err != nil {
		return nil, err
	}
	// Postgres, which may be another user, passes through: everything is then in
	// this one directory, and a bench that was killed leaves nothing elsewhere.
	if err := os.Chmod(st.dir, 0o711); err != nil {
		return nil, err
	}
	if program == "" {
		program = filepath.Join(st.dir, "realtime-gw")
		build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/realtime-gw/realtime-gw/cmd/realtime-gw")
		if said, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build realtime-gw: %w\n%s", err, said)
		}
	} else if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	if err := st.database(ctx); err != nil {
		return nil, err
	}
	if err := st.seed(ctx, p.rows); err != nil {
		return nil, err
	}
	url := "DATABASE_URL=" + st.postgres.URL("bench")
	if st.upstream, err = launch(ctx, program, "shapes", url); err != nil {
		return nil, err
	}
	key := make([]byte, cursor.MinKey)
	_, _ = rand.Read(key) // never fails
	st.gateway, err = launch(ctx, program, "serve", url,
		"ELECTRIC_ORIGIN=http://"+st.upstream.addr,
		"REALTIME_GW_CURSOR_KEYS="+hex.EncodeToString(key),
		fmt.Sprintf("REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS=%d", window.Milliseconds()))
	return st, err
}

func (st *stack) database(ctx context.Context) (err error) {
	st.postgres, err = localpg.Start(ctx, localpg.Config{Dir: st.postgresDir(), Disposable: true,
		Settings: map[string]string{"max_wal_size": "4GB"}}) // no checkpoint in the middle
	if err != nil {
		return err
	}
	if err := st.postgres.CreateDatabase(ctx, "bench"); err != nil {
		return err
	}
	if st.pool, err = pgxpool.New(ctx, st.postgres.URL("bench")); err != nil {
		return err
	}
	if _, err := schema.Migrate(ctx, st.pool); err != nil {
		return err
	}
	st.demo, err = schema.SeedDemo(ctx, st.pool)
	return err
}

func (st *stack) postgresDir() string { return filepath.Join(st.dir, "postgres") }

// stop ends what was started, those who depend on others first.
func (st *stack) stop() error {
	var errs []error
	for _, c := range []*child{st.gateway, st.upstream} {
		if c != nil {
			errs = append(errs, c.stop())
		}
	}
	if st.pool != nil {
		st.pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if st.postgres != nil {
		errs = append(errs, st.postgres.Stop(ctx))
	}
	if st.dir != "" {
		// The cluster lies elsewhere if its user cannot reach the directory.
		errs = append(errs, localpg.Remove(ctx, st.postgresDir()), os.RemoveAll(st.dir))
	}
	return errors.Join(errs...)
}
