package gateway

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
)

const requestIDHeader = "X-Request-Id"

const unmatched = "unmatched" // the route of what no route is for

// statusClientGone stands in the log for a request that was never answered,
// because its client left first: the usual end of a held poll.
const statusClientGone = 499

// end writes the line of a request that has ended, and tells the observer.
//
//go:noinline
func (v *visit) end() {
	took := cmp.Or(v.took, time.Since(v.began))
	answered := Answered{
		Route: v.route, Status: loggedStatus(v.out.status, v.returned, v.left || v.Err() != nil),
		Broken: !v.returned && !v.left && v.out.status != 0, Bytes: v.out.bytes, Took: took - v.held,
	}
	if answered.Route == "" {
		answered.Route = unmatched
	}
	log, made := &v.entrance.log, v.logger.Load()
	if made != nil {
		log = made.Logger // what was added to it on the way stands in this line too
	}
	log.Info().
		Func(func(line *zerolog.Event) {
			if made == nil {
				line.Str("request_id", v.id)
			}
		}).
		Str("method", loggedMethod(v.method)).
		Str("route", answered.Route).
		Int("status", answered.Status).
		Int("bytes", answered.Bytes).
		Dur("duration", took).
		Msg("request")
	v.entrance.observer.Answered(answered)
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
	return unmatched
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

// newID is a request's id. It tells requests apart; nobody has to be unable to guess it.
func newID() string {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	var id [24]byte
	for half := range 2 {
		for bits, i := rand.Uint64(), 0; i < len(id)/2; bits, i = bits>>5, i+1 {
			id[half*len(id)/2+i] = digits[bits%32]
		}
	}
	return string(id[:])
}

// requestID is the id that a proxy in front gave the request, if it is plain
// and short, and else a new one.
func requestID(h http.Header) string {
	id := h.Get(requestIDHeader)
	if id == "" || len(id) > 64 {
		return newID()
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return newID()
		}
	}
	return id
}
