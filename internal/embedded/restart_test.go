package embedded

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// postgres is a cluster of a test's own, with a database of run tables.
type postgres struct {
	t      *testing.T
	config localpg.Config
	server *localpg.Server
}

func newPostgres(t *testing.T, config localpg.Config) *postgres {
	t.Helper()
	config.Dir = t.TempDir()
	p := &postgres{t: t, config: config}
	p.start()
	t.Cleanup(p.stop)
	p.config.Port = p.server.Port()
	if err := p.server.CreateDatabase(t.Context(), "runs"); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), p.url())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := schema.Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *postgres) url() string { return p.server.URL("runs") }

func (p *postgres) start() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*patience)
	defer cancel()
	var err error
	if p.server, err = localpg.Start(ctx, p.config); err != nil {
		p.t.Fatal(err)
	}
}

func (p *postgres) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.server.Stop(ctx); err != nil {
		p.t.Error(err)
	}
}

// TestPostgresRestarts: a Postgres that is stopped under the server, in the middle
// of writes, and started again costs nobody a row and nobody a refetch: the slot is
// still there.
func TestPostgresRestarts(t *testing.T) {
	for mode, test := range map[string]struct {
		disposable bool // which says how it is stopped
		rounds     int
	}{"fast": {false, 1}, "immediate": {true, 2}} {
		t.Run(mode, func(t *testing.T) {
			p := newPostgres(t, localpg.Config{Disposable: test.disposable})
			b := newBenchAt(t, p.url(), Config{})
			for i := range 20 {
				b.write(addRun, fmt.Sprint("before", i), "env", []string{"x", "y"})
			}
			all := b.subscribe(t, manyFeeds()...)
			for round := range test.rounds {
				writer, written := b.connect(), make(chan int)
				started := make(chan struct{})
				go func() { // until the connection ends
					for i := 0; ; i++ {
						if _, err := writer.Exec(context.Background(), addRun, fmt.Sprint("during", round, "-", i), "env", []string{"x", "y"}); err != nil {
							written <- i
							return
						}
						if i == 100 {
							close(started)
						}
					}
				}()
				<-started
				p.stop()
				if n := <-written; n < 100 {
					t.Fatalf("%d runs were written while Postgres stopped", n)
				}
				b.until("the loss to be noticed", func() bool { return followState(b.server.state.Load()) == waiting })
				if got := b.health(); got != `202 {"status":"waiting"}` {
					t.Error(got)
				}
				got := b.get(tagFeed("elsewhere", fmt.Sprint(round)))
				if got.status != http.StatusServiceUnavailable || got.header.Get("retry-after") == "" || !strings.Contains(got.body, "Cannot connect to the database") {
					t.Errorf("a new shape: %d %v %s", got.status, got.header, got.body)
				}
				p.start()
				b.reconnect(p.url())
				b.converge(t, 0, all, fmt.Sprint("last", round), "x", "y")
				if got := b.health(); got != `200 {"status":"active"}` {
					t.Error(got)
				}
			}
		})
	}
}

// reconnect gives the bench another connection to write with.
func (b *bench) reconnect(url string) {
	b.t.Helper()
	_ = b.db.Close(b.t.Context())
	conn, err := pgx.Connect(b.t.Context(), url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.db = conn
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
}
