package electric

import (
	"net"
	"net/http"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/http1"
)

// Transport makes calls: those to http origins as package http1 does, whose fields it
// has for them, and those to https origins as net/http does.
type Transport struct {
	*http1.Transport
	secure *http.Transport
}

// NewTransport gives a transport tuned to Electric's server, which closes a
// connection after 60 s of silence, and after its 50th request without saying
// so: idle connections are dropped before, and a request that met a closed one
// is sent again.
func NewTransport() *Transport {
	plain := http1.New()
	return &Transport{plain, &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost:    plain.MaxIdlePerHost,
		IdleConnTimeout:        plain.IdleTimeout,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  plain.HeadTimeout,
		MaxResponseHeaderBytes: plain.MaxHead,
		DisableCompression:     true, // Electric never compresses rows
		ReadBufferSize:         32 << 10,
	}}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL != nil && r.URL.Scheme == "https" {
		return t.secure.RoundTrip(r)
	}
	return t.Transport.RoundTrip(r)
}

// CloseIdleConnections closes the connections that have no call.
func (t *Transport) CloseIdleConnections() {
	t.Transport.CloseIdleConnections()
	t.secure.CloseIdleConnections()
}
