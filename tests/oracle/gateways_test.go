package oracle

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// cursorKey is that of all gateways of all worlds: a gateway goes on where
// another one was killed.
var cursorKey = []byte("0123456789abcdef0123456789abcdef")

// faults break what is said between two parts of the program. The zero value
// breaks nothing.
type faults struct {
	upstream func(http.RoundTripper) http.RoundTripper // between shape server and gateway
	answers  func(http.Handler) http.Handler           // between gateway and readers
	binary   string                                    // not a fault: gateways are processes of this program
}

// instance is one gateway.
type instance struct {
	url   string
	over  atomic.Bool         // from when it may answer early, late or not at all
	drain func(time.Duration) // answers whom it holds, then ends
	kill  func()              // ends at once
}

// fleet is the gateways of a world. Readers take any of them for each request.
type fleet struct {
	start func() *instance
	board *board

	mu        sync.Mutex
	instances []*instance
}

// What the board counts of gateways that are replaced.
const killed, drained = "gateways killed", "gateways drained"

func (f *fleet) pick(n int) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.instances[n%len(f.instances)]
}

// replace puts a new gateway into the place of an old one, which is killed or
// drained.
func (f *fleet) replace(n int, gently bool) {
	next := f.start()
	f.mu.Lock()
	i := n % len(f.instances)
	last := f.instances[i]
	f.instances[i] = next
	f.mu.Unlock()
	last.over.Store(true)
	if gently {
		f.board.count(drained, 1)
		last.drain(patience)
	} else {
		f.board.count(killed, 1)
		last.kill()
	}
}

func (f *fleet) close() {
	for _, g := range f.instances {
		g.over.Store(true)
		g.kill()
	}
}

// newFleet starts the shape server and the gateways of a world.
func newFleet(t *testing.T, s settings, w *world, b *board, broken faults) *fleet {
	t.Helper()
	// A slot is made when the transactions of the whole machine let it.
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	server, err := embedded.New(ctx, embedded.Config{
		DatabaseURL: w.url, Slot: pgtest.Slot(t), ChunkBytes: s.chunkBytes, LongPoll: s.longPoll,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error("close the shape server:", err)
		}
	})
	config := electric.Config{Origin: "http://shapes", Transport: server.Transport()}
	if s.separate || broken.binary != "" {
		listening := httptest.NewServer(server)
		t.Cleanup(listening.Close)
		transport := electric.NewTransport()
		t.Cleanup(transport.CloseIdleConnections)
		config = electric.Config{Origin: listening.URL, Transport: transport}
	}
	if broken.upstream != nil {
		config.Transport = broken.upstream(config.Transport)
	}
	if s.outages {
		config.Transport = newOutages(s.seed, config.Transport, b)
	}
	f := &fleet{board: b}
	if broken.binary != "" {
		f.start = func() *instance { return startProcess(t, broken.binary, w.url, config.Origin) }
	} else {
		pool, err := pgxpool.New(ctx, w.url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		client, err := electric.New(config)
		if err != nil {
			t.Fatal(err)
		}
		f.start = func() *instance { return startGateway(t, s, pool, client, broken.answers) }
	}
	for range s.instances {
		f.instances = append(f.instances, f.start())
	}
	t.Cleanup(f.close)
	return f
}

// startGateway puts a gateway together in this process, as serve does.
func startGateway(t *testing.T, s settings, pool *pgxpool.Pool, source *electric.Client, wrap func(http.Handler) http.Handler) *instance {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	codec, err := cursor.NewCodec(cursorKey)
	must(err)
	store, err := runstore.New(runstore.Config{Primary: pool})
	must(err)
	who, err := auth.NewAuthenticator(auth.Config{Directory: auth.NewPostgresDirectory(pool)})
	must(err)
	flying := flight.Config{Source: steady.New(steady.Config{Source: source}), Linger: s.linger}
	if s.unfinished {
		flying.CompleteBytes, flying.CompleteWithin = 1, time.Nanosecond
	}
	flights := flight.New(flying)
	merger := merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}, PageBytes: s.pageBytes})
	people, err := census.New(census.Config{Store: store})
	must(err)
	service := feeds.New(feeds.Config{Merger: merger, Codec: codec, Census: people, Hold: s.hold})
	handler, err := gateway.New(gateway.Config{Auth: who, Finder: store, Feeds: service})
	must(err)
	if wrap != nil {
		handler = wrap(handler)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := gateway.NewHTTPServer(gateway.ServerConfig{Handler: handler})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	stop := func() {
		_ = server.Close()
		<-ended
		flights.Close()
		people.Close()
	}
	return &instance{
		url: "http://" + listener.Addr().String(),
		drain: func(most time.Duration) {
			service.Drain()
			ctx, cancel := context.WithTimeout(context.Background(), most)
			defer cancel()
			_ = server.Shutdown(ctx)
			stop()
		},
		kill: stop,
	}
}
