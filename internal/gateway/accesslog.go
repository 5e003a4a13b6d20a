package gateway

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/zerolog"
)

const requestIDHeader = "X-Request-Id"

// statusClientGone stands in the log for a request that was never answered,
// because its client left first: the usual end of a held poll.
const statusClientGone = 499

// accessLog writes a line for every request once it is answered, tells the observer,
// and gives its context a logger that adds the request's id to every other line; take it with
// zerolog.Ctx. The id goes out in the answer as well.
//
// The line holds the pattern of the route and never the path or the query: ids,
// tags and handles stand in those. It must be installed with a chi router's
// Use, as the outermost, so that it sees the route that was chosen and the
// status that was sent.
func accessLog(log zerolog.Logger, observer Observer) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			id := requestID(r.Header)
			w.Header().Set(requestIDHeader, id)
			log := log.With().Str("request_id", id).Logger()
			note := &noted{Context: log.WithContext(r.Context())}
			r = r.WithContext(note)

			// Keeps Flush, Hijack and ReadFrom working, where w has them.
			recorded := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			returned := false
			defer func() { // deferred: a handler that panics is logged too
				took := time.Since(start)
				end := Answered{
					Route: routePattern(r), Status: loggedStatus(recorded.Status(), returned, r.Context().Err() != nil),
					Broken: !returned && recorded.Status() != 0, Bytes: recorded.BytesWritten(), Took: took - note.held,
				}
				zerolog.Ctx(note).Info(). // what was added to it on the way stands in this line too
								Str("method", loggedMethod(r.Method)).
								Str("route", end.Route).
								Int("status", end.Status).
								Int("bytes", end.Bytes).
								Dur("duration", took).
								Msg("request")
				observer.Answered(end)
			}()
			next.ServeHTTP(recorded, r)
			returned = true
		})
	}
}

// loggedStatus is what was sent, or what stands for it when nothing was.
func loggedStatus(sent int, returned, gone bool) int {
	switch {
	case sent != 0:
		return sent
	case gone:
		return statusClientGone
	case !returned: // it panicked: the connection is cut
		return http.StatusInternalServerError
	default: // net/http sends this for a handler that wrote nothing
		return http.StatusOK
	}
}

// routePattern is that of the route chi chose.
func routePattern(r *http.Request) string {
	if route := chi.RouteContext(r.Context()); route != nil && route.RoutePattern() != "" {
		return route.RoutePattern()
	}
	return "unmatched"
}

// loggedMethod is a method of HTTP, or "other": clients may send any word.
func loggedMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "other"
}

// requestID is the id that a proxy in front gave the request, if it is plain
// and short, and else a new one.
func requestID(h http.Header) string {
	id := h.Get(requestIDHeader)
	if id == "" || len(id) > 64 {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return rand.Text()
		}
	}
	return id
}
