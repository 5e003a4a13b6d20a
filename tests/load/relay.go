package main

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/metrics"
)

// relayTo says in the environment of a relay what it stands in front of.
const relayTo = "LOAD_RELAY_TO"

// playRelay is the standard library's reverse proxy and nothing else: what a hop in Go
// cannot be cheaper than on this machine.
func playRelay() error {
	to, err := url.Parse(os.Getenv(relayTo))
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: transport}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 5 * time.Second}
	return serve(server.Serve, newLooks(metrics.New()))
}

// relay starts it in front of an upstream.
func (l *lab) relay(ctx context.Context, upstream *child) (*child, error) {
	return l.play(ctx, "relay", relayTo+"=http://"+upstream.addr)
}
