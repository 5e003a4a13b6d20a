package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
)

const jsonType = "application/json; charset=utf-8"

// problem is an answer that is an error. Clients treat a 4xx as final, except
// 409 and 429, and retry a 5xx for ever: a passing fault is never a 4xx.
//
// body is what the client reads; cause, if any, is for the log alone.
type problem struct {
	status int
	body   any
	header map[string]string
	cause  error
}

// Error is for the log.
func (p *problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%d: %v", p.status, p.cause)
	}
	return fmt.Sprintf("%d %s", p.status, http.StatusText(p.status))
}

// Unwrap gives the cause.
func (p *problem) Unwrap() error { return p.cause }

// errorBody is the platform's form of an error.
type errorBody struct {
	Error   string  `json:"error"`
	Details []issue `json:"details,omitempty"`
}

// issue is one thing wrong with a request, in the form of the platform's
// validator. Path names the parameter; nothing here repeats its value.
type issue struct {
	Code    string   `json:"code"`
	Path    []string `json:"path"`
	Message string   `json:"message"`
}

// wrong is an issue with the parameter of this name.
func wrong(name, message string) issue {
	return issue{Code: "custom", Path: []string{name}, Message: message}
}

// wrongWhole is an issue with all of the query.
func wrongWhole(message string) issue {
	return issue{Code: "custom", Path: []string{}, Message: message}
}

// paramsError is the 400 of a path parameter.
func paramsError(details ...issue) *problem {
	return &problem{status: http.StatusBadRequest, body: errorBody{"Params Error", details}}
}

// queryError is the 400 of a query parameter.
func queryError(details ...issue) *problem {
	return &problem{status: http.StatusBadRequest, body: errorBody{"Query Error", details}}
}

// notFound is the 404 of a run or batch. retry tells the SDK's other calls
// whether it may appear later; subscriptions end on it either way.
func notFound(retry bool) *problem {
	return &problem{
		status: http.StatusNotFound, body: errorBody{Error: "Not found"},
		header: map[string]string{"X-Should-Retry": strconv.FormatBool(retry)},
	}
}

// tooMany is the 429 of an environment without a free slot.
func tooMany() *problem {
	return &problem{status: http.StatusTooManyRequests, body: errorBody{Error: "Too many concurrent requests"}}
}

// tooManyFeeds is the 429 of an environment that follows more than it may.
func tooManyFeeds(e *feeds.Limited) *problem {
	p := &problem{status: http.StatusTooManyRequests, body: errorBody{Error: "Too many different subscriptions"}, cause: e}
	p.retryAfter(max(e.RetryAfter, 1))
	return p
}

// retryAfter sets the header, in seconds, rounded up: 0 would mean at once.
func (p *problem) retryAfter(d time.Duration) {
	seconds := (d + time.Second - 1) / time.Second
	p.header = map[string]string{"Retry-After": strconv.Itoa(int(seconds))}
}

// unavailable is the 503 of a fault that passes. Electric's newer clients wait
// exactly what Retry-After says, the SDKs' ignore it.
func unavailable(cause error) *problem {
	return &problem{
		status: http.StatusServiceUnavailable, body: errorBody{Error: "Service Unavailable"},
		header: map[string]string{"Retry-After": "1"}, cause: cause,
	}
}

// problemOf says how an error is answered. One that nobody gave a form is a 500
// that tells the client nothing.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		p := &problem{status: e.Status, body: json.RawMessage(e.Body()), cause: e}
		if e.RetryAfter > 0 {
			p.retryAfter(e.RetryAfter)
		}
		return p
	}
	return &problem{
		status: http.StatusInternalServerError, body: errorBody{Error: "Internal Server Error"}, cause: err,
	}
}

// writeError answers with err, and logs it if it is the server's fault, with
// the logger of the context. Nothing of the answer may have been sent.
func writeError(ctx context.Context, w http.ResponseWriter, err error) {
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError && ctx.Err() == nil { // not when the client left
		zerolog.Ctx(ctx).Error().Err(p.cause).Int("status", p.status).Msg("request failed")
	}
	body, err := json.Marshal(p.body)
	if err != nil {
		panic(fmt.Sprintf("gateway: the body of a %d does not marshal: %v", p.status, err))
	}
	h := w.Header()
	for name, value := range p.header {
		h.Set(name, value)
	}
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

// orError makes a handler of a function that may fail before it has sent
// anything. Once a head is out its body must be finished, so after that the
// function returns nil, whatever happens.
func orError(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			fail(r.Context(), w, err)
		}
	}
}

// fail answers with err. A client that left gets no answer: its connection is ended,
// since to return without one would send a 200.
func fail(ctx context.Context, w http.ResponseWriter, err error) {
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	writeError(ctx, w, err)
}
