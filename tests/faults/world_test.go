package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/lookup"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// world is a gateway, put together as `realtime-gw serve` does it, before a shape server on
// another port, with everything between them that can fail.
type world struct {
	t     *testing.T
	db    *pgxpool.Pool
	store *runstore.Store
	demo  schema.Demo
	url   string // the gateway's

	front  *upstream.Front
	sides  map[runid.Table]*side
	ledger *ledger
	steady *steady.Source
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, sides: make(map[runid.Table]*side), ledger: &ledger{}}
	database := pgtest.Database(t)
	var err error
	check := func() {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	w.db, err = pgxpool.New(t.Context(), database)
	check()
	t.Cleanup(w.db.Close)
	w.demo, err = schema.SeedDemo(t.Context(), w.db)
	check()
	w.store, err = runstore.New(runstore.Config{Primary: w.db})
	check()
	w.standUpstream(database)

	source, err := electric.New(electric.Config{Origin: "http://electric.internal", Transport: &router{w.sides, w.ledger}})
	check()
	log := zerolog.New(&judge{t: t})
	w.steady = steady.New(steady.Config{Source: leaving{source}, Log: log})
	flights := flight.New(flight.Config{Source: w.steady})
	t.Cleanup(flights.Close)
	codec, err := cursor.NewCodec(bytes.Repeat([]byte("k"), cursor.MinKey))
	check()
	people, err := census.New(census.Config{Store: w.store, Log: log})
	check()
	t.Cleanup(people.Close)
	service := feeds.New(feeds.Config{
		Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}}),
		Codec:  codec, Census: people,
	})
	directory, err := auth.NewCache(auth.CacheConfig{Source: auth.NewPostgresDirectory(w.db)})
	check()
	authenticator, err := auth.NewAuthenticator(auth.Config{Directory: directory})
	check()
	finder, err := lookup.New(lookup.Config{Store: w.store})
	check()
	handler, err := gateway.New(gateway.Config{
		Auth: authenticator, Finder: finder, Feeds: service, Slots: &limits.Memory{}, Ready: func() bool { return true }, Log: log,
	})
	check()
	w.serve(gateway.ServerConfig{Handler: handler, Log: log}, service)
	return w
}

// standUpstream starts the shape server, the front before it and a proxy a table before that.
func (w *world) standUpstream(database string) {
	t := w.t
	t.Helper()
	shapes, err := embedded.New(t.Context(), embedded.Config{DatabaseURL: database, Slot: pgtest.Slot(t)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(shapes)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		server.CloseClientConnections()
		if err := shapes.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	behind := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(behind.CloseIdleConnections)
	w.front = upstream.New(t, behind, server.URL)
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for _, table := range runid.Tables() {
		w.sides[table] = newSide(t, proxies, table, w.front.Address())
	}
}

// serve takes requests on a port of the gateway's.
func (w *world) serve(c gateway.ServerConfig, service *feeds.Service) {
	t := w.t
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + listener.Addr().String()
	server, ended := gateway.NewHTTPServer(c), make(chan error, 1)
	go func() { ended <- gateway.Serve(server, listener) }()
	t.Cleanup(func() {
		service.Drain()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// judge reads the gateway's log. That the upstream fails has to be there as an error, and
// nothing else.
type judge struct {
	t  testing.TB
	mu sync.Mutex
}

func (j *judge) Write(line []byte) (int, error) {
	var entry struct {
		Level, Message string
		Status         int
	}
	err := json.Unmarshal(line, &entry)
	j.mu.Lock()
	defer j.mu.Unlock()
	expected := strings.HasPrefix(entry.Message, "the upstream answers for no shape") || entry.Status == http.StatusServiceUnavailable
	if err != nil || entry.Level == "error" && !expected {
		j.t.Errorf("the gateway logs %s", line)
	}
	return len(line), nil
}
