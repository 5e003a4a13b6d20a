package platform

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// Config of the API.
type Config struct {
	// Auth says who asks. Required.
	Auth *auth.Authenticator
	// Directory has the keys that sign tokens. Required.
	Directory auth.Directory
	// Store is read. Required.
	Store *runstore.Store
	// Trigger makes runs and changes them. Required.
	Trigger *trigger.Service
	// WorkerQueue is the queue of workers that new runs go to. Default: the store's.
	WorkerQueue string
	// Elsewhere gets what is not built here. Default: a 501 that says so.
	Elsewhere http.Handler
	// Now tells the time for filters that say "the last day". Default: time.Now.
	Now func() time.Time
}

// platform is the handlers' common ground.
type platform struct {
	config   Config
	triggers calls[triggered]
	batches  calls[runstore.Batch]
	mint     *runid.Minter // of batches
}

// New makes the handler of all that is below /api, to be mounted there.
func New(c Config) (http.Handler, error) {
	if c.Auth == nil || c.Directory == nil || c.Store == nil || c.Trigger == nil {
		return nil, errors.New("platform: Auth, Directory, Store and Trigger are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	elsewhere := gateway.CORS(handle(notBuilt))
	if c.Elsewhere != nil {
		elsewhere = gateway.PassesBodies(c.Elsewhere)
	}
	p := &platform{config: c, mint: runid.NewMinter(runid.MinterConfig{})}
	r := chi.NewRouter()
	r.NotFound(elsewhere.ServeHTTP)
	r.MethodNotAllowed(elsewhere.ServeHTTP)
	p.routes(r)
	return r, nil
}

// routes are all that is built. docs/platform-api.md has the same list; a test
// holds the two together.
func (p *platform) routes(r chi.Router) {
	// Scripts of other origins may use what stands in open.
	open := func(method, pattern string, serve func(http.ResponseWriter, *http.Request) error) {
		h := gateway.CORS(handle(serve))
		r.Method(method, pattern, h)
		r.Method(http.MethodOptions, pattern, h)
	}
	open(http.MethodGet, "/v3/runs/{run}", p.retrieve)
	open(http.MethodGet, "/v1/runs/{run}/result", p.result)
	open(http.MethodGet, "/v1/runs", p.list)
	open(http.MethodGet, "/v1/batches/{batch}", p.retrieveBatch)
	open(http.MethodGet, "/v2/batches/{batch}", p.retrieveBatch)
	open(http.MethodGet, "/v1/batches/{batch}/results", p.batchResults)
	open(http.MethodPost, "/v1/tasks/{task}/trigger", p.trigger)
	open(http.MethodPost, "/v3/batches", p.createBatch)
	open(http.MethodPost, "/v3/batches/{batch}/items", p.batchItems)
	open(http.MethodPost, "/v2/tasks/batch", p.batchAtOnce)

	closed := func(method, pattern string, serve func(http.ResponseWriter, *http.Request) error) {
		r.Method(method, pattern, noStore(handle(serve)))
	}
	closed(http.MethodPost, "/v2/runs/{run}/cancel", p.cancel)
	closed(http.MethodPost, "/v1/runs/{run}/reschedule", p.reschedule)
	closed(http.MethodPost, "/v1/runs/{run}/replay", p.replay)
	closed(http.MethodGet, "/v1/runs/{run}/metadata", p.getMetadata)
	closed(http.MethodPut, "/v1/runs/{run}/metadata", p.putMetadata)
	closed(http.MethodPost, "/v1/runs/{run}/tags", p.addTags)
	closed(http.MethodPost, "/v1/idempotencyKeys/{key}/reset", p.resetKey)
	closed(http.MethodPost, "/v1/auth/jwt/claims", p.jwtClaims)
}

// noStore keeps caches from keeping what depends on who asked.
func noStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// notBuilt answers for all that the platform has and this program has not.
func notBuilt(http.ResponseWriter, *http.Request) error {
	return &refusal{status: http.StatusNotImplemented, text: "This part of the platform's API is not built here: ask the platform itself", retry: no}
}
