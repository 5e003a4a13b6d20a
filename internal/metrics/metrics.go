package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// prefix begins the name of every metric that is the program's own.
const prefix = "realtime_gw_"

// Metrics counts. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *requests
	upstream map[shapes.Table]*tableCalls
	waiters  prometheus.Histogram
	commits  prometheus.Histogram
}

// New makes a Metrics that has counted nothing.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauge("build_info", "Always 1. Its labels say which program this is.", buildLabels(), func() float64 { return 1 })
	m.requests = newRequests(m)
	m.upstream = newCalls(m)
	m.waiters = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: prefix + "flight_waiters", Help: "Requests that waited for a held upstream call when it brought news.",
		Buckets: []float64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000},
	})
	m.registry.MustRegister(m.waiters)
	return m
}

// Handler serves what was counted, in the formats that Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// buildLabels are what the program was built from.
func buildLabels() prometheus.Labels {
	labels := prometheus.Labels{"version": "unknown", "revision": "unknown", "goversion": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			labels["version"] = info.Main.Version
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				labels["revision"] = setting.Value
			}
		}
	}
	return labels
}

// counter makes one with a label for each of some values, and gives its children in
// their order.
func (m *Metrics) counter(name, help string, labels []string, children [][]string) []prometheus.Counter {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	m.registry.MustRegister(vec)
	made := make([]prometheus.Counter, len(children))
	for i, values := range children {
		made[i] = vec.WithLabelValues(values...)
	}
	return made
}

// gauge registers one that is looked at when somebody asks.
func (m *Metrics) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help, ConstLabels: labels}, value))
}

// total registers a counter that is looked at when somebody asks.
func (m *Metrics) total(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: labels}, value))
}
