package gateway

import (
	"context"
	stdlog "log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// ServerConfig says how connections are served.
type ServerConfig struct {
	// Addr is the address to listen on, "host:port". Used by ListenAndServe,
	// which answers late requests; Serve takes a listener instead.
	Addr string

	// Handler answers the requests. Required.
	Handler http.Handler

	// Log gets what the server itself has to say, as warnings: broken
	// handshakes, handlers that panicked. The zero Logger says nothing.
	Log zerolog.Logger

	// ReadHeaderTimeout is how long a client may take to send a request's
	// headers; then Serve closes its connection. Default 5 s.
	ReadHeaderTimeout time.Duration

	// IdleTimeout is how long a connection may wait for its next request.
	// Longer than the usual 60 s of a load balancer, so that it is the balancer
	// that closes first and never sends a request into a closing connection.
	// Default 90 s.
	IdleTimeout time.Duration

	// Unread is how long a client may take no byte of what was written to it; then its
	// connection is closed. Only Linux knows how. Default 2 minutes.
	Unread time.Duration

	// MaxHeaderBytes bounds the request line and the headers; beyond it the
	// answer is a 431. A query has 10,000 bytes at most and a token 8 KiB.
	// Default 32 KiB.
	MaxHeaderBytes int
}

// defaultUnread is how long a reader may take nothing.
const defaultUnread = 2 * time.Minute

// NewHTTPServer makes the server of the gateway. It speaks HTTP/1.1 and HTTP/2,
// the latter also without TLS (h2c): a browser opens six connections to a host
// over HTTP/1.1, and each subscription holds one.
//
// It has no WriteTimeout: that would cut held polls and streams, which are
// bounded by their own hold. It has no ReadTimeout either: its deadline stays
// on the connection while a handler runs, and passing it cancels the request. A
// body that no route reads is not waited for, and its request is the last of its
// connection; routes that read one stand behind readsBodies.
func NewHTTPServer(cfg ServerConfig) *http.Server {
	if cfg.ReadHeaderTimeout <= 0 {
		cfg.ReadHeaderTimeout = 5 * time.Second
	}
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = 90 * time.Second
	}
	if cfg.Unread <= 0 {
		cfg.Unread = defaultUnread
	}
	if cfg.MaxHeaderBytes <= 0 {
		cfg.MaxHeaderBytes = 32 << 10
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Addr:              cfg.Addr,
		Handler:           &lastIfItHasABody{cfg.Handler, cfg.ReadHeaderTimeout},
		Protocols:         &protocols,
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			// A parked stream sends nothing, so only a ping finds a dead peer.
			SendPingTimeout: 30 * time.Second,
			PingTimeout:     15 * time.Second,
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			cutUnread(c, cfg.Unread)
			return knowsItsConn(ctx, c)
		},
		ErrorLog: stdlog.New(serverLog{cfg.Log}, "", 0),
	}
}

// lastIfItHasABody ends an HTTP/1 connection after a request with a body. Left
// alone, net/http reads a body that no handler wanted before it sends the answer,
// and waits for it without end: a client that announces five bytes and never sends
// them would keep its connection for ever, and a live request its slot. And what
// stands behind a body is a request only if everybody on the way agreed on where
// the body ends. The answer goes out at once; within is how long the body has to
// come, so that the connection can end in order. An HTTP/2 stream has an end of
// its own.
type lastIfItHasABody struct {
	next   http.Handler
	within time.Duration
}

// ServeHTTP implements http.Handler.
func (l *lastIfItHasABody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		l.close(w)
	}
	l.next.ServeHTTP(w, r)
}

//go:noinline
func (l *lastIfItHasABody) close(w http.ResponseWriter) {
	w.Header().Set("Connection", "close") // then the answer does not wait for the body
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(l.within))
}

// serverLog makes warnings of net/http's own lines.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.Warn().Str("detail", string(line)).Msg("http server")
	return len(line), nil
}
