package main

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/lookup"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/metrics"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/admission"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// assembled is a gateway that is put together here, from the parts and in the way of
// cmd/realtime-gw, for what the program itself cannot be made to do.
type assembled struct {
	metrics  *metrics.Metrics
	upstream shapes.Source
	auth     *auth.Authenticator
	finder   *lookup.Finder
	census   *census.Census
	codec    *cursor.Codec
	log      zerolog.Logger
}

// assemble puts together what all handlers of a process share.
func assemble(ctx context.Context) (*assembled, error) {
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	a := &assembled{metrics: metrics.New(), log: zerolog.New(os.Stderr).With().Timestamp().Logger()}
	key, err := hex.DecodeString(os.Getenv("REALTIME_GW_CURSOR_KEYS"))
	if err != nil {
		return nil, err
	}
	if a.codec, err = cursor.NewCodec(key); err != nil {
		return nil, err
	}
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		return nil, err
	}
	directory, err := auth.NewCache(auth.CacheConfig{Source: auth.NewPostgresDirectory(pool)})
	if err != nil {
		return nil, err
	}
	if a.auth, err = auth.NewAuthenticator(auth.Config{Directory: directory}); err != nil {
		return nil, err
	}
	if a.finder, err = lookup.New(lookup.Config{Store: store}); err != nil {
		return nil, err
	}
	if a.census, err = census.New(census.Config{Store: store, Log: a.log}); err != nil {
		return nil, err
	}
	const plenty = 1 << 20 // admission is not what is compared
	transport := electric.NewTransport()
	transport.MaxIdlePerHost = plenty
	client, err := electric.New(electric.Config{Origin: os.Getenv("ELECTRIC_ORIGIN"), Transport: transport})
	if err != nil {
		return nil, err
	}
	patient := steady.New(steady.Config{Source: a.metrics.Count(client), Log: a.log})
	a.upstream = admission.New(admission.Config{Source: patient, Known: plenty, New: plenty})
	return a, nil
}

// watched is the gateway of a process, with a clock, whose flights can be looked at.
func (a *assembled) watched(now func() time.Time) (http.Handler, error) {
	flights := flight.New(flight.Config{Source: a.upstream})
	a.metrics.WatchFlights(flights.Stats)
	return a.handler(flights, now, feeds.DefaultWindow)
}

// handler is a gateway over flights.
func (a *assembled) handler(flights *flight.Group, now func() time.Time, maxAge time.Duration) (http.Handler, error) {
	service := feeds.New(feeds.Config{
		Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}}),
		Codec:  a.codec, Census: a.census, MaxAge: maxAge, Now: now,
	})
	return gateway.New(gateway.Config{
		Auth: a.auth, Finder: a.finder, Feeds: service, ConcurrencyLimit: 100_000, Observer: a.metrics, Log: a.log,
	})
}

// playNaive is a gateway that shares nothing: each connection has flights of its own,
// which end with their waiter and remember nothing.
func playNaive() error {
	a, err := assemble(context.Background())
	if err != nil {
		return err
	}
	type key struct{}
	server := gateway.NewHTTPServer(gateway.ServerConfig{Log: a.log, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(key{}).(http.Handler).ServeHTTP(w, r)
	})})
	server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		flights := flight.New(flight.Config{Source: a.upstream, Linger: -1, Keep: -1, RingEntries: -1, ShareBytes: -1})
		h, err := a.handler(flights, nil, window)
		if err != nil {
			panic(err) // it was made of the same parts before
		}
		return context.WithValue(ctx, key{}, h)
	}
	return serve(func(l net.Listener) error { return gateway.Serve(server, l) }, newLooks(a.metrics))
}

// naive starts it.
func (l *lab) naive(ctx context.Context) (*child, error) {
	return l.play(ctx, "naive", l.assembledEnv()...)
}

// assembledEnv is what assemble reads.
func (l *lab) assembledEnv() []string {
	return []string{l.databaseURL(), "ELECTRIC_ORIGIN=http://" + l.upstream.addr, "REALTIME_GW_CURSOR_KEYS=" + l.key}
}
