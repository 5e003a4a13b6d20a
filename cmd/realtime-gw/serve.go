package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/metrics"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/tracing"
)

type serveCommand struct {
	observed
	operated
	Addr         string        `help:"Address to listen on." env:"REALTIME_GW_ADDR" default:":3030"`
	DatabaseURL  string        `help:"The platform's database. Required." env:"DATABASE_URL"`
	ReplicaURL   string        `help:"A read replica of it, asked first." env:"DATABASE_READ_REPLICA_URL"`
	Origin       string        `name:"electric-origin" help:"Electric's base URL, such as http://electric:3000." env:"ELECTRIC_ORIGIN"`
	OriginShards string        `name:"electric-origin-shards" help:"Several of them, joined by commas, that shapes are shared among. Add new ones at the end." env:"ELECTRIC_ORIGIN_SHARDS"`
	Secret       string        `name:"electric-secret" help:"Electric's secret." env:"ELECTRIC_SECRET"`
	Embedded     bool          `help:"Be the upstream as well: one instance only." env:"REALTIME_GW_EMBEDDED"`
	Slot         string        `help:"Replication slot of the embedded upstream." env:"REALTIME_GW_SLOT" default:"realtime_gw_serve"`
	CursorKeys   string        `help:"Keys that authenticate cursors: current and previous, each 32 bytes or more in hex, joined by a comma. Required." env:"REALTIME_GW_CURSOR_KEYS"`
	MaxAgeMs     int64         `name:"max-created-at-age-ms" help:"How far back a tag feed may reach, in milliseconds." env:"REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS" default:"86400000"`
	RedisURL     string        `help:"A Redis through which instances, and the platform, count live subscriptions together, such as redis://redis:6379. Without it each instance counts its own." env:"REDIS_URL"`
	PlatformAPI  bool          `name:"platform-api" help:"Serve the platform's REST API over the run tables as well." env:"REALTIME_GW_PLATFORM_API"`
	ListTime     time.Duration `help:"How long Postgres may take for a list of runs. 0s: as long as it allows by itself." env:"REALTIME_GW_LIST_TIME" default:"10s"`
	Platform     string        `name:"platform-origin" help:"Base URL of the platform, which gets what is not served here of /api and /realtime/v1/streams. Without it that is a 501." env:"PLATFORM_ORIGIN"`
	Drain        time.Duration `help:"How long the end takes, after SIGTERM: meanwhile /readyz fails, and those who wait are sent away one after another. A second SIGTERM cuts it short." env:"REALTIME_GW_DRAIN" default:"25s"`
	Admitted     string        `name:"electric-max-concurrent-requests" help:"What Electric was told with this variable, if it was: calls that may make a shape, and others, as {\"initial\":300,\"existing\":10000}. It is asked for four fifths of that." env:"ELECTRIC_MAX_CONCURRENT_REQUESTS"`
	EachFeeds    int           `name:"environment-feeds" help:"Upstream shapes of one environment at a time." env:"REALTIME_GW_ENVIRONMENT_FEEDS" default:"5000"`
	EachCalls    int           `name:"environment-calls" help:"Upstream calls of one environment at a time." env:"REALTIME_GW_ENVIRONMENT_CALLS" default:"4000"`
	EachNew      float64       `name:"environment-new-feeds" help:"Upstream shapes that one environment may begin in a second, with what it saved in ten." env:"REALTIME_GW_ENVIRONMENT_NEW_FEEDS" default:"25"`
	Limit        int           `name:"concurrency-limit" help:"Live subscriptions of one environment at a time." env:"REALTIME_CONCURRENCY_LIMIT" default:"100000"`
}

// Run serves until ctx ends, or the embedded server cannot follow its database.
func (c *serveCommand) Run(ctx context.Context, p *program) error {
	keys, err := c.check()
	if err != nil {
		return err
	}
	log := p.logger(zerolog.InfoLevel)
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("REALTIME_GW_ADDR: %w", err)
	}
	defer listener.Close()
	admitted, err := parseAdmitted(c.Admitted)
	if err != nil {
		return err // settings has looked
	}
	made := parts{
		keys: keys, maxAge: time.Duration(c.MaxAgeMs) * time.Millisecond, limit: c.Limit, metrics: metrics.New(), log: log, admitted: admitted,
		each: flight.PerEnvironment{Definitions: c.EachFeeds, Calls: c.EachCalls, Beginnings: admitted.new / 2, NewPerSecond: c.EachNew},
		api:  c.PlatformAPI, listTime: cmp.Or(c.ListTime, -1),
	}
	if c.Platform != "" {
		if made.elsewhere, err = platform.Elsewhere(c.Platform); err != nil {
			return fmt.Errorf("PLATFORM_ORIGIN %w", err) // not reached: check has refused it
		}
	}
	stopMetrics, err := c.serveMetrics(made.metrics, log)
	if err != nil {
		return err
	}
	defer stopMetrics()
	if made.traces, err = tracing.Start(ctx, log); err != nil {
		return err
	}
	defer closeTracing(ctx, made.traces, log)
	if c.RedisURL != "" {
		shared, err := openRedis(ctx, c.RedisURL, log)
		if err != nil {
			return err
		}
		defer closeRedis(shared, log)
		made.slots = shared
		if c.PlatformAPI {
			slots, err := claims.NewRedis(claims.RedisConfig{URL: c.RedisURL})
			if err != nil {
				return err
			}
			defer func() { _ = slots.Close() }() // nothing is lost: what is claimed ends by itself
			made.claims = slots
		}
		made.metrics.WatchUncounted(shared.Uncounted)
	}
	if made.primary, err = openPool(ctx, "DATABASE_URL", c.DatabaseURL); err != nil {
		return err
	}
	defer made.primary.Close()
	if c.ReplicaURL != "" {
		if made.replica, err = openPool(ctx, "DATABASE_READ_REPLICA_URL", c.ReplicaURL); err != nil {
			return err
		}
		defer made.replica.Close()
	}
	if c.PlatformAPI || c.AdminToken != "" {
		if made.flags, err = orgflags.Open(ctx, orgflags.Config{Pool: made.primary, Log: log}); err != nil {
			return err
		}
		defer made.flags.Close()
	}
	if made.admin, err = c.openAdmin(made.flags, log); err != nil {
		return err
	}
	up, err := c.upstream(ctx, made.metrics, made.traces, log)
	if err != nil {
		return err
	}
	defer up.close()
	made.sources = up.sources
	ctx, stop := whileFollowing(ctx, up.embedded)
	defer stop()
	a, err := assemble(made)
	if err != nil {
		return err
	}
	defer a.close()
	a.ready.Store(true) // before anybody is told
	log.Info().Stringer("addr", listener.Addr()).Bool("embedded", c.Embedded).Msg("serving")
	return errors.Join(a.serve(ctx, listener, a.drain(p.hurry, c.Drain, up.embedded)), whyEnded(up.embedded))
}

// check refuses what cannot work, before anything is started.
func (c *serveCommand) check() ([][]byte, error) {
	keys, bad := c.settings()
	if len(bad) > 0 {
		return nil, bad[0]
	}
	return keys, nil
}

// upstream is what a gateway asks: each Electric over HTTP, or the embedded server
// through the same client without a socket.
type upstream struct {
	sources  []*electric.Client
	embedded *embedded.Server // nil: none
	close    func()
}

func (c *serveCommand) upstream(ctx context.Context, m *metrics.Metrics, traces *tracing.Tracing, log zerolog.Logger) (*upstream, error) {
	if c.Embedded {
		server, source, err := startEmbedded(ctx, c.DatabaseURL, c.Slot, m, traces, log)
		if err != nil {
			return nil, err
		}
		return &upstream{[]*electric.Client{source}, server, func() { closeEmbedded(context.WithoutCancel(ctx), server, log) }}, nil
	}
	transport := electric.NewTransport()
	up := &upstream{close: transport.CloseIdleConnections}
	for _, origin := range c.origins() {
		client, err := electric.New(electric.Config{Origin: origin.URL, Secret: c.Secret, Transport: traces.Transport(transport)})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", origin.Name, err)
		}
		up.sources = append(up.sources, client)
	}
	return up, nil
}

func startEmbedded(ctx context.Context, url, slot string, m *metrics.Metrics, traces *tracing.Tracing, log zerolog.Logger) (*embedded.Server, *electric.Client, error) {
	server, err := embedded.New(ctx, embedded.Config{DatabaseURL: url, Slot: slot, Committed: m.Commits(), Logger: log})
	if err != nil {
		return nil, nil, err
	}
	client, err := electric.New(electric.Config{Origin: "http://embedded", Transport: traces.Transport(server.Transport())})
	if err != nil {
		closeEmbedded(context.WithoutCancel(ctx), server, log)
		return nil, nil, err
	}
	m.WatchEmbedded(server)
	return server, client, nil
}

// closeTime is how long the embedded server may take to close.
const closeTime = 20 * time.Second

// closeEmbedded drops the slot, which would otherwise keep WAL for nobody.
func closeEmbedded(ctx context.Context, server *embedded.Server, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	if err := server.Close(ctx); err != nil {
		log.Error().Err(err).Msg("closing the embedded shape server")
	}
}
