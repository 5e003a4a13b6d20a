package gateway

import (
	"io"
	"net/http"
	"strings"
)

// The platform's preflight answer.
const (
	allowedMethods  = "GET,HEAD,PUT,PATCH,POST,DELETE"
	preflightMaxAge = "300" // seconds
)

// exposedHeaders are what scripts of another origin may read. A client that
// cannot read the Electric ones stops for good, and an SDK that cannot read
// x-trigger-jwt would sign a token with a token. They are listed and not "*",
// so that what a script can see does not grow unnoticed.
var exposedHeaders = strings.Join([]string{
	"electric-cursor", "electric-handle", "electric-has-data", "electric-offset",
	"electric-schema", "electric-up-to-date", "retry-after",
	// the names of client 0.6.3, which SDK 3.1 and early 3.2 hold
	"electric-shape-id", "electric-chunk-last-offset", "electric-next-cursor", "electric-chunk-up-to-date",
	"x-trigger-jwt", "x-trigger-jwt-claims",
}, ",")

// CORS lets scripts of every origin read the answers of next, and answers
// preflights itself: before authentication, because browsers send those without
// credentials. It must stand in front of the router's choice of method.
//
// The origin is reflected, as the platform does on these routes, rather than
// "*". Neither admits anybody whom the other does not: the credential is a
// header that the page itself must hold, never a cookie, and
// Access-Control-Allow-Credentials is not sent. Reflecting keeps what customers
// see the same when they move from the platform to here, and like there a
// request without an Origin gets no such header. So the answer depends on
// Origin also when there is none, and Vary says so always.
//
// It also forbids caches to keep any answer, errors included: all of them
// depend on who asked.
func CORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		origin := r.Header.Get("Origin")
		h.Add("Vary", "Origin")
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == http.MethodOptions {
			preflight(w, r, origin)
			return
		}
		h.Set("Cache-Control", "no-store")
		if origin != "" {
			h.Set("Access-Control-Expose-Headers", exposedHeaders)
		}
		next.ServeHTTP(w, r)
	})
}

func preflight(w http.ResponseWriter, r *http.Request, origin string) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Headers")
	if origin != "" {
		h.Set("Access-Control-Allow-Methods", allowedMethods)
		h.Set("Access-Control-Max-Age", preflightMaxAge)
		if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(asked, ","))
		}
	}
	h.Set("Content-Type", jsonType)
	_, _ = io.WriteString(w, "{}") // the client is gone: nobody is left to tell
}
