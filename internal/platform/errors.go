package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

const jsonType = "application/json; charset=utf-8"

// again is what an answer tells an SDK of trying again.
type again uint8

const (
	unsaid again = iota // the SDK decides by the status
	yes
	no
)

// refusal is an answer that is an error. SDKs show its text to their users.
type refusal struct {
	status int
	text   string
	issues []issue
	retry  again
	after  time.Duration // 0: not said
	cause  error         // for the log alone
}

// Error is for the log.
func (f *refusal) Error() string { return fmt.Sprintf("%d: %v", f.status, f.cause) }

// Unwrap gives the cause.
func (f *refusal) Unwrap() error { return f.cause }

// issue is one thing wrong with a request, in the form of the platform's
// validator. Nothing here repeats a value.
type issue struct {
	Code    string   `json:"code"`
	Path    []string `json:"path"`
	Message string   `json:"message"`
}

func queryError(name, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, text: "Query Error", issues: []issue{{"custom", []string{name}, message}}}
}

func paramsError(name, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, text: "Params Error", issues: []issue{{"custom", []string{name}, message}}}
}

// notBuiltCode marks an issue with something that is right, and is not built here.
const notBuiltCode = "not_built"

// missingHere is the 501 for a part of a request that is not built here.
func missingHere(path ...string) *refusal {
	text := strings.Join(path, ".") + " is not built here: leave it out, or ask the platform itself"
	return &refusal{status: http.StatusNotImplemented, text: text, retry: no, issues: []issue{{notBuiltCode, path, "is not built here"}}}
}

// bodyError says all that is wrong with a body, in its text as well: that is the
// part which SDKs show. If nothing is wrong, but for what is not built, it is a 501.
func bodyError(issues ...issue) *refusal {
	if len(issues) > 0 && !slices.ContainsFunc(issues, func(i issue) bool { return i.Code != notBuiltCode }) {
		return missingHere(issues[0].Path...)
	}
	texts := make([]string, len(issues))
	for i, one := range issues {
		texts[i] = one.Message
		if len(one.Path) > 0 {
			texts[i] += ` at "` + strings.Join(one.Path, ".") + `"`
		}
	}
	return &refusal{status: http.StatusBadRequest, text: "Validation error: " + strings.Join(texts, "; "), issues: issues}
}

func notFound(text string, retry again) *refusal {
	return &refusal{status: http.StatusNotFound, text: text, retry: retry}
}

// lookup is the answer if a run or batch was not found, which may be because it
// is so new. A database that fails is not a 404.
func lookup(err error) error {
	if errors.Is(err, runstore.ErrNotFound) {
		return notFound("Not found", yes)
	}
	return unavailable(err)
}

// unavailable is the 503 of a fault that passes.
func unavailable(cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, text: "Service Unavailable", after: time.Second, cause: cause}
}

// invalid is the answer for a value that the store refused, and nil for other
// errors. The store's own words hold no value.
func invalid(err error) *refusal {
	if e, ok := errors.AsType[*runstore.InvalidError](err); ok {
		return &refusal{status: http.StatusUnprocessableEntity, text: "A value cannot be stored: " + e.Reason, cause: err}
	}
	return nil
}

// refusalOf says how an error is answered.
func refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if r := invalid(err); r != nil {
		return r
	}
	return &refusal{status: http.StatusInternalServerError, text: "Something went wrong", cause: err}
}

// writeError answers with err, and logs it if it is the server's fault. Nothing
// of the answer may have been sent.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		refuse := &refusal{status: e.Status, after: e.RetryAfter, cause: e}
		refuse.write(w, r, e.Body())
		return
	}
	refuse := refusalOf(err)
	body, err := json.Marshal(struct {
		Error   string  `json:"error"`
		Details []issue `json:"details,omitempty"`
	}{refuse.text, refuse.issues})
	if err != nil {
		panic("platform: texts do not marshal: " + err.Error())
	}
	refuse.write(w, r, body)
}

func (f *refusal) write(w http.ResponseWriter, r *http.Request, body []byte) {
	if f.status >= http.StatusInternalServerError && f.status != http.StatusNotImplemented {
		zerolog.Ctx(r.Context()).Error().Err(f.cause).Int("status", f.status).Msg("request failed")
	}
	h := w.Header()
	if f.retry != unsaid {
		h.Set("X-Should-Retry", strconv.FormatBool(f.retry == yes))
	}
	if f.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.after+time.Second-1)/time.Second)))
	}
	writeBody(w, f.status, body)
}

// handle makes a handler of a function that may fail before it has sent anything.
// Who left gets no answer: to return without one would send a 200.
func handle(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		switch {
		case err == nil:
		case r.Context().Err() != nil:
			panic(http.ErrAbortHandler)
		default:
			writeError(w, r, err)
		}
	})
}

// answer sends a value as JSON.
func answer(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("platform: an answer does not marshal: %w", err)
	}
	writeBody(w, http.StatusOK, body)
	return nil
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}
