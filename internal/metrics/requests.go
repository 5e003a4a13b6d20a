package metrics

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
)

var _ gateway.Observer = (*Metrics)(nil)

// outcome is what became of a request.
type outcome int

const (
	ok outcome = iota
	refetch
	badRequest
	unauthorized
	forbidden
	notFound
	limited
	clientGone
	unavailable
	failed
	broken
	other
)

// outcomes are the words for them, by their number.
var outcomes = [...]string{
	"ok", "must_refetch", "bad_request", "unauthorized", "forbidden", "not_found",
	"limited", "client_gone", "unavailable", "error", "broken", "other",
}

func outcomeOf(a gateway.Answered) outcome {
	switch {
	case a.Broken:
		return broken
	case a.Status < 400:
		return ok
	}
	switch a.Status {
	case http.StatusConflict:
		return refetch
	case http.StatusBadRequest:
		return badRequest
	case http.StatusUnauthorized:
		return unauthorized
	case http.StatusForbidden:
		return forbidden
	case http.StatusNotFound:
		return notFound
	case http.StatusTooManyRequests:
		return limited
	case 499:
		return clientGone
	case http.StatusServiceUnavailable:
		return unavailable
	}
	if a.Status >= 500 {
		return failed
	}
	return other
}

// requests counts those of clients.
type requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	held     prometheus.Gauge
	limited  prometheus.Counter
	refetch  map[feeds.Reason]prometheus.Counter

	mu     sync.Mutex                            // held to change routes
	routes atomic.Pointer[map[string]*routeData] // never changed: replaced
}

// routeData is one route's children.
type routeData struct {
	outcomes [len(outcomes)]prometheus.Counter
	duration prometheus.Observer
	bytes    prometheus.Counter
}

func newRequests(m *Metrics) *requests {
	r := &requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "http_requests_total", Help: "Requests of clients that have ended.",
		}, []string{"route", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "http_request_duration_seconds", Help: "How long requests took, without the time that they were held.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "http_response_bytes_total", Help: "Bytes of the bodies of answers to clients.",
		}, []string{"route"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "held_polls", Help: "Live requests that wait for news now.",
		}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "limit_rejections_total", Help: "Live requests for which their environment had no slot.",
		}),
		refetch: make(map[feeds.Reason]prometheus.Counter),
	}
	m.registry.MustRegister(r.total, r.duration, r.bytes, r.held, r.limited)
	var reasons [][]string
	for _, reason := range feeds.Reasons {
		reasons = append(reasons, []string{string(reason)})
	}
	for i, c := range m.counter("must_refetch_total", "Clients that were told to start over.", []string{"cause"}, reasons) {
		r.refetch[feeds.Reasons[i]] = c
	}
	r.routes.Store(&map[string]*routeData{})
	return r
}

// route gives a route's children, and makes them for its first request.
func (r *requests) route(pattern string) *routeData {
	if known := (*r.routes.Load())[pattern]; known != nil {
		return known
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	routes := *r.routes.Load()
	if known := routes[pattern]; known != nil {
		return known
	}
	made := &routeData{duration: r.duration.WithLabelValues(pattern), bytes: r.bytes.WithLabelValues(pattern)}
	for i, word := range outcomes {
		made.outcomes[i] = r.total.WithLabelValues(pattern, word)
	}
	routes = maps.Clone(routes)
	routes[pattern] = made
	r.routes.Store(&routes)
	return made
}

// Answered implements gateway.Observer.
func (m *Metrics) Answered(a gateway.Answered) {
	route := m.requests.route(a.Route)
	route.outcomes[outcomeOf(a)].Inc()
	route.duration.Observe(a.Took.Seconds())
	route.bytes.Add(float64(a.Bytes))
}

// Holding implements gateway.Observer.
func (m *Metrics) Holding(change int) { m.requests.held.Add(float64(change)) }

// Refetched implements gateway.Observer.
func (m *Metrics) Refetched(reason feeds.Reason) {
	if c := m.requests.refetch[reason]; c != nil {
		c.Inc()
	}
}

// Limited implements gateway.Observer.
func (m *Metrics) Limited() { m.requests.limited.Inc() }
