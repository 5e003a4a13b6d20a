package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
)

// ending is how a server ends, after the program was told to.
type ending struct {
	// leave has those who are held go, while others are still served; nil: there is
	// nobody. It returns at once when its context ends.
	leave func(context.Context)
	// finish is how long answers that run when the listener is closed may take.
	finish time.Duration
	// hurry cuts both short.
	hurry context.Context
}

// serveHTTP runs a server until ctx ends and it has ended in order. What runs then
// still is cut.
func serveHTTP(ctx context.Context, listener net.Listener, server *http.Server, log zerolog.Logger, end ending) error {
	failed := make(chan error, 1)
	go func() { failed <- gateway.Serve(server, listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	if end.leave != nil {
		end.leave(end.hurry)
	}
	patience, cancel := context.WithTimeout(end.hurry, end.finish)
	defer cancel()
	if server.Shutdown(patience) != nil {
		log.Warn().Msg("answers were still running at the end of the drain time: they are cut")
		return server.Close()
	}
	return nil
}

// The parts of the drain time (REALTIME_GW_DRAIN): first the load balancer notices
// that this instance is not ready, then those who are held are sent away, last are
// the bodies that still run.
const (
	settlePart = 10 // percent
	leavePart  = 70
)

// leastFinish is what answers that run always have, however short the drain is.
const leastFinish = time.Second

// drain has a gateway end within a time. It is no longer ready from the beginning,
// and takes requests until nobody is held any more. Once its embedded upstream, if
// it has one, cannot follow the database there is nothing to stay for.
func (a *assembly) drain(hurry context.Context, within time.Duration, upstream *embedded.Server) ending {
	settle, leave := within*settlePart/100, within*leavePart/100
	return ending{
		leave: func(ctx context.Context) {
			a.ready.Store(false)
			a.draining.Store(true)
			a.log.Info().Dur("within", within).Msg("draining: no longer ready")
			ctx, stop := whileFollowing(ctx, upstream)
			defer stop()
			a.feeds.DrainOver(ctx, settle, leave)
		},
		finish: max(within-settle-leave, leastFinish),
		hurry:  hurry,
	}
}
