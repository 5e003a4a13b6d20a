package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/lookup"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/sharded"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// parts are what a gateway is put together from.
type parts struct {
	primary *pgxpool.Pool
	replica *pgxpool.Pool   // nil: none
	sources []shapes.Source // one, or several that shapes are shared among
	keys    [][]byte
	maxAge  time.Duration
	slots   limits.Concurrency // nil: counted in this process
	limit   int
	log     zerolog.Logger
}

// assembly is a gateway that is put together.
type assembly struct {
	handler http.Handler
	store   *runstore.Store
	feeds   *feeds.Service
	flights *flight.Group
	census  *census.Census
	ready   atomic.Bool
	log     zerolog.Logger
}

func assemble(p parts) (*assembly, error) {
	codec, err := cursor.NewCodec(p.keys...)
	if err != nil {
		return nil, err
	}
	store, err := runstore.New(runstore.Config{Primary: p.primary, Replica: p.replica})
	if err != nil {
		return nil, err
	}
	var replicas []auth.Querier
	if p.replica != nil {
		replicas = append(replicas, p.replica)
	}
	directory, err := auth.NewCache(auth.CacheConfig{Source: auth.NewPostgresDirectory(p.primary, replicas...)})
	if err != nil {
		return nil, err
	}
	authenticator, err := auth.NewAuthenticator(auth.Config{Directory: directory})
	if err != nil {
		return nil, err
	}
	finder, err := lookup.New(lookup.Config{Store: store})
	if err != nil {
		return nil, err
	}
	a := &assembly{store: store, log: p.log}
	var shards []shapes.Patient
	for i, source := range p.sources {
		shards = append(shards, steady.New(steady.Config{Source: source, Log: p.log.With().Int("origin", i+1).Logger()}))
	}
	upstream, err := sharded.New(shards...)
	if err != nil {
		return nil, err
	}
	if a.census, err = census.New(census.Config{Store: store, Log: p.log}); err != nil {
		return nil, err
	}
	a.flights = flight.New(flight.Config{Source: upstream})
	a.feeds = feeds.New(feeds.Config{
		Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{a.flights, a.flights}}),
		Codec:  codec,
		Census: a.census,
		MaxAge: p.maxAge,
	})
	a.handler, err = gateway.New(gateway.Config{
		Auth: authenticator, Finder: finder, Feeds: a.feeds,
		Slots: p.slots, ConcurrencyLimit: p.limit, Ready: a.ready.Load, Log: p.log,
	})
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// close ends what runs beside the requests.
func (a *assembly) close() {
	a.flights.Close()
	a.census.Close()
}

// drainTime is how long requests have to end after the program was told to.
const drainTime = 20 * time.Second

// serve takes requests until ctx ends, then drains: no longer ready, held polls
// answered, running answers finished.
func (a *assembly) serve(ctx context.Context, listener net.Listener) error {
	return serveHTTP(ctx, listener, gateway.NewHTTPServer(gateway.ServerConfig{Handler: a.handler, Log: a.log}),
		func() { a.ready.Store(true) },
		func() {
			a.ready.Store(false)
			a.feeds.Drain()
		})
}

// serveHTTP runs a server until ctx ends and its requests have, or drainTime is
// over.
func serveHTTP(ctx context.Context, listener net.Listener, server *http.Server, began, ending func()) error {
	failed := make(chan error, 1)
	go func() { failed <- gateway.Serve(server, listener) }()
	began()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	ending()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		return errors.Join(fmt.Errorf("requests were still running after %s: %w", drainTime, err), server.Close())
	}
	return nil
}

var errNoDatabase = errors.New("DATABASE_URL is not set: give the postgres:// URL of the platform's database")

// openPool connects to a database, so that a wrong URL is noticed at once.
func openPool(ctx context.Context, name, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("%s is not a Postgres connection URL", name) // the cause may hold the password
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("%s cannot be reached: %w", name, err)
	}
	return pool, nil
}
