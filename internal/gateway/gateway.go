package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Finder looks runs and batches up in an environment, as *runstore.Store does.
// What is not there is runstore.ErrNotFound.
type Finder interface {
	FindRefByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (runstore.Ref, error)
	FindBatchByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (runstore.Batch, error)
}

// Config of a gateway.
type Config struct {
	// Auth says who asks. Required.
	Auth *auth.Authenticator
	// Finder finds what is asked for. Required.
	Finder Finder
	// Feeds answers. Required.
	Feeds *feeds.Service
	// Slots counts the live requests of each environment. Default: in memory.
	Slots limits.Concurrency
	// ConcurrencyLimit is how many live requests an environment may have at a
	// time. Default limits.DefaultLimit.
	ConcurrencyLimit int
	// Ready says whether this process takes requests; nil: always. It is what
	// /readyz answers.
	Ready func() bool
	// Draining says whether this process is about to end; nil: never. Then every
	// answer is the last of its connection, so that its client, who comes back,
	// gets to another process.
	Draining func() bool
	// Observer is told of requests. Default: nobody is.
	Observer Observer
	// Platform serves the platform's REST API, below /api; nil: nothing does.
	Platform http.Handler
	// Elsewhere is the platform itself. It gets what is asked for below
	// /realtime/v1/streams, and below /api if there is no Platform; nil: such a
	// request is a 501.
	Elsewhere http.Handler
	// Unread is how long a reader may take nothing of an answer with rows that is too large
	// to be written at once, or that shares its connection with others; then it is cut.
	// ServerConfig has the same for connections. Default 2 minutes.
	Unread time.Duration
	// Trace goes around the routes, inside the log; nil: nothing does. Requests that
	// wait for news take some 8 KiB more with it.
	Trace func(http.Handler) http.Handler
	// Log gets a line for each request, and what went wrong.
	Log zerolog.Logger
}

// gateway is the handlers' common ground.
type gateway struct {
	config Config
	heads  heads
}

// New makes the handler of all routes.
func New(c Config) (http.Handler, error) {
	if c.Auth == nil || c.Finder == nil || c.Feeds == nil {
		return nil, errors.New("gateway: Auth, Finder and Feeds are required")
	}
	if c.Slots == nil {
		c.Slots = &limits.Memory{}
	}
	if c.ConcurrencyLimit == 0 {
		c.ConcurrencyLimit = limits.DefaultLimit
	}
	if c.Draining == nil {
		c.Draining = func() bool { return false }
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Unread == 0 {
		c.Unread = defaultUnread
	}
	g := &gateway{config: c}
	r := chi.NewRouter()
	r.Use(routed, g.lastInADrain)
	if c.Trace != nil {
		r.Use(c.Trace)
	}
	r.NotFound(orError(func(http.ResponseWriter, *http.Request) error { return notFound(false) }))
	r.MethodNotAllowed(orError(methodNotAllowed))
	r.Get("/healthz", g.health)
	r.Get("/readyz", g.ready)
	r.Route("/realtime/v1", func(r chi.Router) {
		r.Use(CORS)
		r.Get("/runs", orError(g.tags))
		r.Get("/runs/{run}", orError(g.run))
		r.Get("/batches/{batch}", orError(g.batch))
	})
	elsewhere := CORS(orError(notBuilt))
	if c.Elsewhere != nil {
		elsewhere = PassesBodies(c.Elsewhere)
	}
	r.Handle("/realtime/v1/streams/*", elsewhere)
	if c.Platform != nil {
		r.Mount("/api", g.readsBodies(c.Platform))
	} else {
		r.Handle("/api/*", elsewhere)
	}
	return &entrance{next: r, log: c.Log, observer: c.Observer, inline: c.Trace != nil}, nil
}

// lastInADrain makes the answer to a request that comes in a drain the last of its
// connection, over HTTP/2 too. Requests that are held when it begins see to it
// themselves.
func (g *gateway) lastInADrain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.endConnection(w)
		next.ServeHTTP(w, r)
	})
}

// endConnection has the connection end with the answer, in a drain.
func (g *gateway) endConnection(w http.ResponseWriter) {
	if g.config.Draining() {
		w.Header().Set("Connection", "close")
	}
}

func methodNotAllowed(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Allow", "GET, OPTIONS")
	return &problem{status: http.StatusMethodNotAllowed, body: errorBody{Error: "Method not allowed"}}
}

// notBuilt answers for routes of the platform that are not served here.
func notBuilt(http.ResponseWriter, *http.Request) error {
	return &problem{status: http.StatusNotImplemented, body: errorBody{Error: "This gateway does not serve this: ask the platform itself"}}
}

func (g *gateway) health(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok") }

func (g *gateway) ready(w http.ResponseWriter, _ *http.Request) {
	if g.config.Ready != nil && !g.config.Ready() {
		writeStatus(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	writeStatus(w, http.StatusOK, "ready")
}

func writeStatus(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"status":"` + text + `"}`))
}
