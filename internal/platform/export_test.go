package platform

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// Routes is a router with all that is built, which nobody may call.
func Routes() chi.Router {
	r := chi.NewRouter()
	new(platform).routes(r)
	return r
}

// ListParameters are those that a list knows, in order.
func ListParameters() []string { return slices.Sorted(maps.Keys(parameters)) }

// ParseList is parseList for fuzzing.
func ParseList(raw string, now time.Time) (runstore.Query, error) {
	q, err := parseList(raw, now)
	if err != nil {
		return runstore.Query{}, err
	}
	return q.Query, nil
}

// Answered is how an error is answered.
func Answered(err error) (status int, body []byte) {
	w := httptest.NewRecorder()
	writeError(w, httptest.NewRequest(http.MethodGet, "/", nil), err)
	return w.Code, w.Body.Bytes()
}

// AnsweredChange is how an error of a change of a run is answered.
func AnsweredChange(err error) (status int, body []byte) { return Answered(changeError(err)) }

// AnsweredItem is how an error of an item of a batch is answered.
func AnsweredItem(index int, err error) (status int, body []byte) {
	return Answered(itemError(index, err))
}

// WriteTriggerError answers with an error of package trigger.
func WriteTriggerError(w http.ResponseWriter, err error) {
	writeError(w, httptest.NewRequest(http.MethodPost, "/", nil), triggerError(err))
}

// ParseTrigger reads a body as the trigger route does.
func ParseTrigger(body []byte, now time.Time) (trigger.Request, error) {
	var issues []issue
	f, err := parseObject(body, &issues)
	if err != nil {
		return trigger.Request{}, err
	}
	r := parseRun(f, now)
	return r, errors.Join(refused(issues), checkLimits(r))
}
