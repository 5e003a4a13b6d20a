package gateway

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
)

// visit is one request on its way: its context, and what is noted of it. A request
// that waits for news keeps its visit and not much else, so whatever can be made
// again is not in it.
type visit struct {
	context.Context // net/http's own
	out             recorder
	entrance        *entrance
	method          string
	id              string
	route           string // once it was routed
	began           time.Time
	held            time.Duration // that it waited for news
	took            time.Duration // in all, if that is noted; 0: until now
	returned        bool          // its handler did not panic
	left            bool          // its client has, in the middle of an answer
	alone           bool          // on its connection: see connOf
	plain           bool          // of HTTP/1.1, without a body, and its client wants the connection to go on
	straight        bool          // its answer was written past net/http

	mayWait bool  // the answer may be left in poll
	poll    *poll // a live request that is waiting; nil: it was answered

	// Made when somebody wants to log, and let go before the request waits. Two may
	// want to at the same time, as both sides of a feed are asked at once.
	logger atomic.Pointer[logger]
}

type visitKey struct{}

// visitOf is that of a request's context, or nil.
func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// Value implements context.Context. What net/http knows nothing of may be the logger,
// under a key that only its package has.
func (v *visit) Value(key any) any {
	switch key {
	case visitKey{}:
		return v
	case chi.RouteCtxKey: // which is looked for before there is one
		return nil
	case connKey{}: // a logger is not made to look for it
		return v.Context.Value(key)
	}
	if found := v.Context.Value(key); found != nil || v.entrance == nil {
		return found
	}
	return v.log().within.Value(key)
}

// logger is a request's, and a context that gives this very one to zerolog.Ctx: what is
// added to it on the way is then in every line.
type logger struct {
	*zerolog.Logger
	within context.Context
}

// log is the logger of the request: it adds its id to every line.
func (v *visit) log() *logger {
	if known := v.logger.Load(); known != nil {
		return known
	}
	within := v.entrance.log.With().Str("request_id", v.id).Logger().WithContext(context.Background())
	v.logger.CompareAndSwap(nil, &logger{zerolog.Ctx(within), within})
	return v.log()
}

// entrance is where requests come in: it gives each its visit and its id, and writes a
// line once it was answered, and tells the observer. The id goes out in the answer as
// well, and is in every other line about the request; take the logger for those with
// zerolog.Ctx.
//
// The line holds the pattern of the route and never the path or the query: ids,
// tags and handles stand in those. So next is a router that has routed among its
// middlewares.
type entrance struct {
	next     http.Handler
	log      zerolog.Logger
	observer Observer
	// inline has every request answered within next: what stands there wants to see
	// all of it.
	inline bool
}

// ServeHTTP implements http.Handler. Where it waits is the foot of every waiting
// request's stack: see poll.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{Context: r.Context(), out: recorder{ResponseWriter: w}, entrance: e, method: r.Method, began: time.Now(), alone: r.ProtoMajor == 1,
		plain: r.ProtoMajor == 1 && r.ProtoMinor == 1 && !r.Close && r.ContentLength == 0}
	defer v.end() // deferred: a handler that panics is logged too
	if e.inline || !mayWait(r) {
		v.serve(r)
	} else {
		v.mayWait = true
		aside(func() { v.serve(r) })
	}
	if v.poll != nil {
		v.poll.held.Wait()
		v.poll.finish(v)
		if v.out.status != 0 && !v.straight { // what is noted of the answer, it does not wait for
			_ = v.out.FlushError()
		}
		if v.alone && v.poll.crowd > 1 { // over HTTP/2 an answer ends when its handler does
			v.took = time.Since(v.began)
			runtime.Gosched() // the others come before its line, and before its next request
		}
	}
	v.returned = true
}

// serve has the request served, all of it or until it waits.
//
//go:noinline
func (v *visit) serve(r *http.Request) {
	v.id = requestID(r.Header)
	v.out.Header().Set(requestIDHeader, v.id)
	v.entrance.next.ServeHTTP(&v.out, r.WithContext(v))
	if v.poll != nil {
		v.logger.Store(nil)
	}
}

// routed notes the route that was chosen.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := visitOf(r.Context()); v != nil {
			defer func() { v.route = routePattern(r) }()
		}
		next.ServeHTTP(w, r)
	})
}

// recorder is a ResponseWriter that remembers what was sent.
type recorder struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int // of the body
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += n
	return n, err
}

// Flush implements http.Flusher.
func (w *recorder) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *recorder) FlushError() error {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
