package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/metrics"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/simulate"
	"github.com/realtime-gw/realtime-gw/internal/tracing"
	"github.com/realtime-gw/realtime-gw/internal/worker"
)

type devCommand struct {
	observed
	operated
	Addr       string  `help:"Address to listen on." env:"REALTIME_GW_ADDR" default:"127.0.0.1:3030"`
	Dir        string  `help:"Where the database and the cursor key live, over restarts." default:".realtime-gw" type:"path"`
	Fresh      bool    `help:"Start over: delete the database first."`
	NoSimulate bool    `help:"Leave the tables quiet."`
	Rate       float64 `help:"Changes a second that the simulation makes." default:"8"`
	Slot       string  `help:"Replication slot." env:"REALTIME_GW_SLOT" default:"realtime_gw_dev"`
}

const devDatabase = "realtime"

// Run starts everything, says what to do next, and ends it all with ctx.
func (c *devCommand) Run(ctx context.Context, p *program) error {
	log := p.logger(zerolog.WarnLevel)
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("REALTIME_GW_ADDR: %w", err)
	}
	defer listener.Close()
	unlock, err := lockState(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.prepare(ctx); err != nil {
		return err
	}
	key, err := devCursorKey(c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, "starting Postgres ...")
	postgres, err := localpg.Start(ctx, localpg.Config{Dir: filepath.Join(c.Dir, "postgres"), Log: log})
	if err != nil {
		return err
	}
	defer stopPostgres(postgres, log)
	if err := postgres.CreateDatabase(ctx, devDatabase); err != nil {
		return err
	}
	url := postgres.URL(devDatabase)
	pool, err := openPool(ctx, "the private database", url)
	if err != nil {
		return err
	}
	defer pool.Close()
	demo, err := devTables(ctx, pool)
	if err != nil {
		return err
	}
	counts := metrics.New()
	stopMetrics, err := c.serveMetrics(counts, log)
	if err != nil {
		return err
	}
	defer stopMetrics()
	traces, err := tracing.Start(ctx, log)
	if err != nil {
		return err
	}
	defer closeTracing(ctx, traces, log)
	server, source, err := startEmbedded(ctx, url, c.Slot, counts, traces, log)
	if err != nil {
		return err
	}
	defer closeEmbedded(context.WithoutCancel(ctx), server, log)
	flags, err := orgflags.Open(ctx, orgflags.Config{Pool: pool, Log: log})
	if err != nil {
		return err
	}
	defer flags.Close()
	desk, err := c.openAdmin(flags, log)
	if err != nil {
		return err
	}
	a, err := assemble(parts{primary: pool, admin: desk, flags: flags, api: true, workers: worker.Queue, sources: []*electric.Client{source}, metrics: counts, traces: traces, keys: [][]byte{key}, maxAge: 0, log: log})
	if err != nil {
		return err
	}
	defer a.close()

	state, err := c.describe(listener.Addr().String(), url, demo)
	if err != nil {
		return err
	}
	ctx, cancel := whileFollowing(ctx, server)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		select {
		case <-postgres.Done():
			cancel()
		case <-ctx.Done():
		}
	})
	if err := work(ctx, &running, a.store, demo, log); err != nil {
		return err
	}
	if !c.NoSimulate {
		current, err := c.simulate(ctx, &running, a.store, demo, log)
		if err != nil {
			return err
		}
		state.follow(current)
	}
	if err := state.write(c.Dir); err != nil {
		return err
	}
	state.print(p.out)
	// On one machine there is nowhere else to go: who is held is told at once.
	return errors.Join(a.serve(ctx, listener, a.drain(p.hurry, 0, server)), whyEnded(server))
}

// prepare empties the directory if that is wanted. Its lock is held.
func (c *devCommand) prepare(ctx context.Context) error {
	if err := os.Remove(devStatePath(c.Dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what it says is no longer true
	}
	if !c.Fresh {
		return nil
	}
	if err := localpg.Remove(ctx, filepath.Join(c.Dir, "postgres")); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(c.Dir, "cursor.key"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

func devTables(ctx context.Context, pool *pgxpool.Pool) (schema.Demo, error) {
	if _, err := schema.Migrate(ctx, pool); err != nil {
		return schema.Demo{}, err
	}
	return schema.SeedDemo(ctx, pool)
}

// tokenLife is how long the printed public token is good for.
const tokenLife = 24 * time.Hour

func (c *devCommand) describe(addr, database string, demo schema.Demo) (devState, error) {
	now := time.Now()
	token, err := auth.Sign(auth.Key(demo.APIKey), auth.Token{
		EnvironmentID: demo.EnvironmentID, Scopes: []string{"read:runs"}, IssuedAt: now, Expires: now.Add(tokenLife),
	})
	return devState{
		URL: "http://" + addr, DatabaseURL: database, APIKey: demo.APIKey,
		EnvironmentID: demo.EnvironmentID, OrganizationID: demo.OrganizationID, PublicToken: token,
	}, err
}

// simulate starts the workload, and returns when there is something to follow.
func (c *devCommand) simulate(ctx context.Context, running *sync.WaitGroup, store *runstore.Store, demo schema.Demo, log zerolog.Logger) (simulate.Current, error) {
	simulation, err := simulate.New(simulate.Config{
		Store: store, OrganizationID: demo.OrganizationID, ProjectID: demo.ProjectID, EnvironmentID: demo.EnvironmentID,
		Rate: c.Rate, Log: log,
	})
	if err != nil {
		return simulate.Current{}, err
	}
	running.Go(func() { simulation.Run(ctx) })
	select {
	case <-simulation.Ready():
		return simulation.Current(), nil
	case <-ctx.Done():
		return simulate.Current{}, context.Cause(ctx)
	}
}

// work starts the worker that executes what is triggered through the API.
func work(ctx context.Context, running *sync.WaitGroup, store *runstore.Store, demo schema.Demo, log zerolog.Logger) error {
	w, err := worker.New(worker.Config{Store: store, EnvironmentID: demo.EnvironmentID, Log: log})
	if err != nil {
		return err
	}
	running.Go(func() { w.Run(ctx) })
	return nil
}

func stopPostgres(server *localpg.Server, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		log.Error().Err(err).Msg("stopping Postgres")
	}
}
