package embedded

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// serverHeader is the electric-server header: this server's name, and the
// version of Electric whose protocol it speaks.
const serverHeader = "realtime-gw-embedded/1.7.12"

const (
	exposedHeaders = "electric-cursor,electric-handle,electric-has-data,electric-offset,electric-schema,electric-up-to-date,electric-internal-known-error,retry-after"
	shapeMethods   = "GET, POST, HEAD, DELETE, OPTIONS"
	jsonType       = "application/json; charset=utf-8"
)

// ServeHTTP serves /v1/shape and /v1/health, and an empty / for probes;
// everything else is a 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("electric-server", serverHeader)
	origin := r.Header.Get("Origin")
	if origin == "" {
		origin = "*"
	}
	h.Set("access-control-allow-origin", origin)
	h.Set("access-control-expose-headers", exposedHeaders)
	h.Set("access-control-allow-methods", "GET, HEAD")
	switch route(r.URL) {
	case "v1/shape":
		h.Set("access-control-allow-methods", shapeMethods)
		s.routeShape(w, r)
		return
	case "v1/health":
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			s.serveHealth(w, r)
			return
		}
	case "":
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			h.Set("cache-control", plugDefault)
			send(w, r, http.StatusOK, "")
			return
		}
	}
	notFound(w, r)
}

// plugDefault is the cache-control of what Electric's own code does not answer.
const plugDefault = "max-age=0, private, must-revalidate"

func notFound(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("cache-control", plugDefault)
	w.Header().Set("access-control-allow-methods", "GET, HEAD")
	// Electric names no type here; without this net/http would guess one.
	w.Header()["Content-Type"] = nil
	send(w, r, http.StatusNotFound, "Not found")
}

// route is a path as Electric's router takes it: decoded part by part, empty
// parts left out.
func route(u *url.URL) string {
	var parts []string
	for _, p := range strings.Split(u.EscapedPath(), "/") {
		if p == "" {
			continue
		}
		decoded, err := url.PathUnescape(p)
		if err != nil || strings.Contains(decoded, "/") {
			return "not found"
		}
		parts = append(parts, decoded)
	}
	return strings.Join(parts, "/")
}

func (s *Server) routeShape(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if !s.begin() {
			unavailable(w, r, errStopping.Error(), 5)
			return
		}
		defer s.work.Done()
		select {
		case <-s.ended:
			unavailable(w, r, errEnded.Error(), 5)
		default:
			s.serveShape(w, r)
		}
	case http.MethodOptions:
		h := w.Header()
		h.Set("access-control-max-age", "86400")
		// Electric names the one header of its own when it alone is asked for.
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked == "if-none-match" {
			h.Set("access-control-allow-headers", asked)
		}
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		w.Header().Set("cache-control", "no-cache")
		sendJSON(w, r, http.StatusMethodNotAllowed, `{"message":"DELETE not allowed"}`)
	case http.MethodPost:
		refuse(w, r, &requestError{"method", "POST is not supported by the embedded shape server: use GET"})
	default:
		notFound(w, r)
	}
}

func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("cache-control", "no-cache, no-store, must-revalidate")
	select {
	case <-s.ended:
		sendJSON(w, r, http.StatusAccepted, `{"status":"starting"}`)
		return
	default:
	}
	if followState(s.state.Load()) == active {
		sendJSON(w, r, http.StatusOK, `{"status":"active"}`)
		return
	}
	sendJSON(w, r, http.StatusAccepted, `{"status":"waiting"}`)
}

func (s *Server) serveShape(w http.ResponseWriter, r *http.Request) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, r, &requestError{"query", "cannot be decoded"})
		return
	}
	req, bad := parseRequest(values)
	if bad != nil {
		refuse(w, r, bad)
		return
	}
	// A fresh reader whose shape rotates under it starts over here, without
	// being told: it has nothing yet. More than a few times means that the
	// table is being altered or truncated all the time.
	const tries = 5
	for range tries {
		sh, err := s.resolve(r.Context(), &req.definition, req.handle)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if req.handle != "" && req.handle != sh.handle {
			redirect(w, r, sh.handle)
			return
		}
		a := &answer{server: s, w: w, r: r, req: &req, shape: sh}
		if !a.serve() {
			return
		}
	}
	unavailable(w, r, "Failed to create shape, please retry", 1)
}

// fail answers an error of making a shape.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad *requestError
	var full *noRoomError
	var snapshot *snapshotError
	switch {
	case r.Context().Err() != nil: // nobody is listening
	case errors.As(err, &bad):
		refuse(w, r, bad)
	case errors.Is(err, errStopping):
		unavailable(w, r, errStopping.Error(), 5)
	case errors.As(err, &full):
		unavailable(w, r, full.Error(), 10)
	case errors.Is(err, errOverwhelmed):
		unavailable(w, r, errOverwhelmed.Error(), 5)
	case errors.As(err, &snapshot): // logged when it failed
		unavailable(w, r, "Failed to create shape, please retry", 1)
	default:
		s.cfg.Logger.Warn().Err(err).Msg("a shape could not be made")
		unavailable(w, r, "Cannot connect to the database to verify the table, please retry", 1)
	}
}

// refuse is a 400 in Electric's form.
func refuse(w http.ResponseWriter, r *http.Request, e *requestError) {
	noStore(w)
	b := append([]byte(`{"message":"Invalid request","errors":{`), appendString(nil, e.field)...)
	b = append(append(b, `:[`...), appendString(nil, e.message)...)
	sendJSON(w, r, http.StatusBadRequest, string(append(b, `]}}`...)))
}

func unavailable(w http.ResponseWriter, r *http.Request, message string, retryAfter int) {
	noStore(w)
	w.Header().Set("retry-after", strconv.Itoa(retryAfter))
	sendJSON(w, r, http.StatusServiceUnavailable, `{"message":`+string(appendString(nil, message))+`}`)
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("cache-control", "no-store")
	w.Header().Set("surrogate-control", "no-store")
}

// redirect is a 409. Without a handle the reader does not learn yet which shape
// follows: its next request makes it.
func redirect(w http.ResponseWriter, r *http.Request, handle string) {
	h := w.Header()
	h.Set("cache-control", "public, max-age=1, must-revalidate")
	if handle != "" {
		h.Set("cache-control", "public, max-age=60, must-revalidate")
		h.Set("electric-handle", handle)
		h.Set("etag", `"`+handle+`::"`)
	}
	sendJSON(w, r, http.StatusConflict, mustRefetch)
}

func sendJSON(w http.ResponseWriter, r *http.Request, status int, body string) {
	w.Header().Set("content-type", jsonType)
	send(w, r, status, body)
}

// send writes a body that is in hand. A failed write means that the client has
// gone; there is nobody to tell.
func send(w http.ResponseWriter, r *http.Request, status int, body string) {
	w.Header().Set("content-length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body))
	}
}
