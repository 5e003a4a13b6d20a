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
	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/lookup"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/metrics"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/admission"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/sharded"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
	"github.com/realtime-gw/realtime-gw/internal/tracing"
)

// parts are what a gateway is put together from.
type parts struct {
	primary *pgxpool.Pool
	replica *pgxpool.Pool      // nil: none
	sources []*electric.Client // one, or several that shapes are shared among
	// admitted is how many calls each may be asked for; zero: what it admits by itself.
	admitted admitted
	each     flight.PerEnvironment
	keys     [][]byte
	maxAge   time.Duration
	slots    limits.Concurrency // nil: counted in this process
	limit    int
	listTime time.Duration // as of runstore.Config
	metrics  *metrics.Metrics
	traces   *tracing.Tracing // nil: none
	admin    http.Handler     // nil: no door for operators
	log      zerolog.Logger

	api       bool            // serve the platform's API
	workers   string          // which workers get what it triggers; empty: the platform's
	flags     *orgflags.Flags // required by it
	claims    claims.Claims   // nil: of this process
	elsewhere http.Handler    // the platform, for what is not served; nil: not known
}

// assembly is a gateway that is put together.
type assembly struct {
	handler http.Handler
	store   *runstore.Store
	feeds   *feeds.Service
	flights *flight.Group
	census  *census.Census
	log     zerolog.Logger

	ready, draining atomic.Bool
}

func assemble(p parts) (*assembly, error) {
	codec, err := cursor.NewCodec(p.keys...)
	if err != nil {
		return nil, err
	}
	store, err := runstore.New(runstore.Config{Primary: p.primary, Replica: p.replica, ListTime: p.listTime})
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
	p.metrics.WatchCaches(directory.Counts)
	p.metrics.WatchCaches(finder.Counts)
	a := &assembly{store: store, log: p.log}
	var shards []shapes.Patient
	for i, source := range p.sources {
		shard := steady.New(steady.Config{Source: p.metrics.Count(source), Log: p.log.With().Int("origin", i+1).Logger()})
		admitted := admission.New(admission.Config{Source: shard, New: p.admitted.new, Known: p.admitted.known, Admits: source.Admits})
		p.metrics.WatchOrigin(i+1, shard.Stats)
		p.metrics.WatchAdmission(i+1, admitted.Stats)
		p.metrics.WatchRepairs(i+1, source.Repairs)
		shards = append(shards, admitted)
	}
	upstream, err := sharded.New(shards...)
	if err != nil {
		return nil, err
	}
	if a.census, err = census.New(census.Config{Store: store, Log: p.log}); err != nil {
		return nil, err
	}
	a.flights = flight.New(flight.Config{Source: upstream, PerEnvironment: p.each, Landed: p.metrics.Landed})
	p.metrics.WatchFlights(a.flights.Stats)
	p.metrics.WatchReady(a.ready.Load)
	a.feeds = feeds.New(feeds.Config{
		Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{a.flights, a.flights}}),
		Codec:  codec,
		Census: a.census,
		MaxAge: p.maxAge,
	})
	api, err := p.platform(store, authenticator, directory)
	if err != nil {
		a.close()
		return nil, err
	}
	config := gateway.Config{
		Platform: api, Elsewhere: p.elsewhere,
		Auth: authenticator, Finder: finder, Feeds: a.feeds,
		Slots: p.slots, ConcurrencyLimit: p.limit, Ready: a.ready.Load, Draining: a.draining.Load, Observer: p.metrics, Log: p.log,
	}
	if p.traces != nil {
		config.Trace = p.traces.Handler
	}
	if a.handler, err = gateway.New(config); err != nil {
		a.close()
		return nil, err
	}
	a.handler = withAdmin(p.admin, a.handler)
	return a, nil
}

// close ends what runs beside the requests.
func (a *assembly) close() {
	a.flights.Close()
	a.census.Close()
}

// serve takes requests until ctx ends, and then ends as end says.
func (a *assembly) serve(ctx context.Context, listener net.Listener, end ending) error {
	a.ready.Store(true)
	return serveHTTP(ctx, listener, gateway.NewHTTPServer(gateway.ServerConfig{Handler: a.handler, Log: a.log}), a.log, end)
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
