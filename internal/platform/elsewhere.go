package platform

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Elsewhere passes requests on to the platform at an origin, untouched, and its
// answers back. Credentials go along: they are the platform's own.
func Elsewhere(origin string) (http.Handler, error) {
	target, err := url.Parse(origin)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, errors.New("is not an origin: give the platform's base URL, such as https://api.trigger.dev")
	}
	if target.User != nil || target.RawQuery != "" || target.Fragment != "" {
		return nil, errors.New("has more than an origin and a path: leave out user, query and fragment")
	}
	// Directly, whatever the environment says of proxies, as Electric is asked; and
	// not decompressed on the way.
	transport := &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second, DisableCompression: true, ForceAttemptHTTP2: true}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // also one that Go does not parse
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the client left
			}
			var wrapped *url.Error
			if errors.As(err, &wrapped) {
				err = wrapped.Err // without the URL, which may hold what is nobody's business
			}
			zerolog.Ctx(r.Context()).Warn().Err(err).Msg("the platform cannot be reached")
			writeError(w, r, &refusal{status: http.StatusBadGateway, text: "The platform cannot be reached", retry: yes, cause: err})
		},
	}
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		if climbs(r.URL.Path) {
			return paramsError("path", "has a segment . or .., plain or encoded: leave it out")
		}
		proxy.ServeHTTP(w, r)
		return nil
	}), nil
}

// climbs says that a decoded path has a segment by which an origin that resolves it
// would come to another path than the one that was asked for, out of what is passed
// on. Some take a backslash for a slash.
func climbs(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
