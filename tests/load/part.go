package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/metrics"
)

// playPart is a child of this program. It ends with it, or when it is told to.
func playPart(part string) error {
	switch part {
	case "bare":
		return playBare()
	case "relay":
		return playRelay()
	case "naive":
		return playNaive()
	case "clocked":
		return playClocked()
	}
	return fmt.Errorf("%s is %q, which is no part of this program", partVariable, part)
}

// newLooks is what a part can be looked at by, as a gateway can.
func newLooks(m *metrics.Metrics) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}

// serve serves a part, and says where, as the program does. It goes on until the process
// is killed: a part has nothing to put in order.
func serve(run func(net.Listener) error, looks http.Handler) error {
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	failed := make(chan error, 1)
	go func() {
		server := &http.Server{Handler: looks, ReadHeaderTimeout: 5 * time.Second}
		failed <- server.Serve(listeners[1])
	}()
	log.Info().Stringer("metrics", listeners[1].Addr()).Msg("metrics")
	log.Info().Stringer("addr", listeners[0].Addr()).Msg("serving")
	go func() { failed <- run(listeners[0]) }()
	return <-failed
}
