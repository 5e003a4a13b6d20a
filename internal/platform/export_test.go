package platform

import (
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// Routes is a router with all that is built, which nobody may call.
func Routes() chi.Router {
	r := chi.NewRouter()
	new(platform).routes(r)
	return r
}

// ParseList is parseList for fuzzing.
func ParseList(raw string, now time.Time) (query any, err error) { return parseList(raw, now) }

// ParseTrigger reads a body as the trigger route does.
func ParseTrigger(body []byte, now time.Time) (trigger.Request, error) {
	var issues []issue
	f, err := parseObject(body, &issues)
	if err != nil {
		return trigger.Request{}, err
	}
	r := parseRun(f, now)
	return r, refused(issues)
}
