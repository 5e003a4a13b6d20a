package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/metrics"
	"github.com/realtime-gw/realtime-gw/internal/tracing"
)

// observed are the settings of commands that can be looked at from outside.
type observed struct {
	MetricsAddr string `help:"Address to serve metrics on, and profiles if it is a loopback one; off: nowhere. Without it 127.0.0.1:9090, if that is free." env:"REALTIME_GW_METRICS_ADDR"`
}

const (
	defaultMetricsAddr = "127.0.0.1:9090"
	metricsOff         = "off"
)

// serveMetrics serves them until the function is called that it gives. An address
// that nobody asked for is no reason not to start when it is taken.
func (o *observed) serveMetrics(m *metrics.Metrics, log zerolog.Logger) (stop func(), err error) {
	if o.MetricsAddr == metricsOff {
		return func() {}, nil
	}
	addr := o.MetricsAddr
	if addr == "" {
		addr = defaultMetricsAddr
	}
	listener, err := net.Listen("tcp", addr)
	switch {
	case err != nil && o.MetricsAddr == "":
		log.Warn().Err(err).Msg("metrics are not served: set REALTIME_GW_METRICS_ADDR to an address that is free, or to off")
		return func() {}, nil
	case err != nil:
		return nil, fmt.Errorf("REALTIME_GW_METRICS_ADDR: %w", err)
	}
	server := &http.Server{Handler: metricsHandler(m, listener.Addr()), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until it is closed
	}()
	log.Info().Stringer("metrics", listener.Addr()).Msg("metrics")
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-ended
	}, nil
}

// metricsHandler has profiles only where this machine alone can ask for them: they
// show the command line, and take the processor's time.
func metricsHandler(m *metrics.Metrics, addr net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// closeTracing exports the last traces, if their collector is there.
func closeTracing(ctx context.Context, traces *tracing.Tracing, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := traces.Close(ctx); err != nil {
		log.Warn().Err(err).Msg("the last traces were not exported")
	}
}
