package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
)

type shapesCommand struct {
	Addr        string        `help:"Address to listen on. Whoever reaches it reads every run: keep it private." env:"REALTIME_GW_ADDR" default:"127.0.0.1:3000"`
	DatabaseURL string        `help:"The platform's database. Required." env:"DATABASE_URL"`
	Slot        string        `help:"Replication slot." env:"REALTIME_GW_SLOT" default:"realtime_gw_shapes"`
	ChunkBytes  int           `help:"Bytes at which a chunk of a shape ends." env:"REALTIME_GW_CHUNK_BYTES" default:"10485760"`
	LongPoll    time.Duration `help:"How long a live request is held." env:"REALTIME_GW_LONG_POLL" default:"20s"`
}

// Run serves until ctx ends, or the database can no longer be followed.
func (c *shapesCommand) Run(ctx context.Context, p *program) error {
	if c.DatabaseURL == "" {
		return errNoDatabase
	}
	log := p.logger(zerolog.InfoLevel)
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("REALTIME_GW_ADDR: %w", err)
	}
	defer listener.Close()
	server, err := embedded.New(ctx, embedded.Config{
		DatabaseURL: c.DatabaseURL, Slot: c.Slot, ChunkBytes: c.ChunkBytes, LongPoll: c.LongPoll, Logger: log,
	})
	if err != nil {
		return err
	}
	defer closeEmbedded(context.WithoutCancel(ctx), server, log)
	ctx, stop := whileFollowing(ctx, server)
	defer stop()
	log.Info().Stringer("addr", listener.Addr()).Str("slot", c.Slot).Msg("serving shapes")
	fmt.Fprintf(p.out, "shapes: http://%s\n", listener.Addr())
	served := serveHTTP(ctx, listener, gateway.NewHTTPServer(gateway.ServerConfig{Handler: http.Handler(server), Log: log}), log, ending{
		leave:  func(ctx context.Context) { closeEmbedded(ctx, server, log) }, // answers held requests
		finish: closeTime, hurry: p.hurry,
	})
	return errors.Join(served, whyEnded(server))
}

// whileFollowing gives a context that ends when the embedded server, if there is
// one, cannot follow its database any more: then there is nothing left to serve.
func whileFollowing(ctx context.Context, server *embedded.Server) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if server != nil {
		go func() {
			select {
			case <-server.Done():
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

// whyEnded is why the embedded server cannot follow its database, if that is so.
func whyEnded(server *embedded.Server) error {
	if server == nil {
		return nil
	}
	return server.Err()
}
