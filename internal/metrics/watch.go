package metrics

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/memo"
	"github.com/realtime-gw/realtime-gw/internal/shapes/admission"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// WatchReady looks whether the process takes requests.
func (m *Metrics) WatchReady(ready func() bool) {
	m.gauge("ready", "Whether this process takes requests: 1 or 0, as /readyz says.", nil, func() float64 { return number(ready()) })
}

// WatchFlights looks how the flights are doing.
func (m *Metrics) WatchFlights(stats func() flight.Stats) {
	m.gauge("flights", "Positions at which upstreams are asked now, whoever waits there.", nil, func() float64 { return float64(stats().InAir) })
	m.gauge("flight_shapes", "Shapes that somebody asks about, or has until a moment ago.", nil, func() float64 { return float64(stats().Shapes) })
	m.gauge("flight_ring_bytes", "Bytes of recent news that is remembered.", nil, func() float64 { return float64(stats().RingBytes) })
	m.gauge("flight_shared_bytes", "Bytes of the bodies of reads that are held to be shared.", nil, func() float64 { return float64(stats().SharedBytes) })
	m.total("flight_ring_hits_total", "Waits that were answered with news that was remembered.", nil,
		func() float64 { return float64(stats().RingHits) })
	m.total("flight_shared_reads_total", "Reads that were answered with what another's call had brought.", nil,
		func() float64 { return float64(stats().SharedReads) })
	m.total("environment_refusals_total", "Times that an environment had more shapes or calls than it may have.", nil,
		func() float64 { return float64(stats().Limited) })
}

// WatchOrigin looks how an upstream is doing: the first is number 1.
func (m *Metrics) WatchOrigin(n int, stats func() steady.Stats) {
	of := prometheus.Labels{"origin": strconv.Itoa(n)}
	m.gauge("upstream_circuit_open", "Whether an upstream answers for no shape, and is asked only now and then: 1 or 0.", of,
		func() float64 { return number(stats().Open) })
	m.gauge("upstream_failing_shapes", "Shapes of an upstream that fail now.", of, func() float64 { return float64(stats().Failing) })
	m.total("upstream_retries_total", "Calls to an upstream that were made again after a fault.", of,
		func() float64 { return float64(stats().Retries) })
}

// WatchAdmission looks how the calls to an upstream stand to what it admits.
func (m *Metrics) WatchAdmission(n int, stats func() admission.Stats) {
	of := func(kind string) prometheus.Labels { return prometheus.Labels{"origin": strconv.Itoa(n), "kind": kind} }
	for kind, usage := range map[string]func() admission.Usage{
		"known": func() admission.Usage { return stats().Known }, "new": func() admission.Usage { return stats().New },
	} {
		m.gauge("upstream_calls", "Calls to an upstream that are open now.", of(kind), func() float64 { return float64(usage().Used) })
		m.total("upstream_budget_refusals_total", "Calls that were not made because an upstream had as many as it may have.", of(kind),
			func() float64 { return float64(usage().Refused) })
	}
}

// WatchRepairs looks how often an upstream's answer had to be repaired.
func (m *Metrics) WatchRepairs(n int, repairs func() uint64) {
	m.total("upstream_repairs_total", "Live answers that named an offset beyond their last row, which readers would have lost.",
		prometheus.Labels{"origin": strconv.Itoa(n)}, func() float64 { return float64(repairs()) })
}

// WatchUncounted looks how many live requests were let in without a slot.
func (m *Metrics) WatchUncounted(uncounted func() uint64) {
	m.total("limit_uncounted_total", "Live requests that were let in uncounted because Redis did not answer.", nil,
		func() float64 { return float64(uncounted()) })
}

// WatchClaims looks how often the claims of triggers could not be had or kept.
func (m *Metrics) WatchClaims(faults func() uint64) {
	m.total("claim_faults_total", "Times that Redis did not answer a trigger with an idempotency key or a one-time-use token, or lost its claim.", nil,
		func() float64 { return float64(faults()) })
}

// WatchCaches looks how often caches knew the answer. counts gives the same names
// each time.
func (m *Metrics) WatchCaches(counts func() map[string]memo.Counts) {
	for name := range counts() {
		const total, help = "cache_requests_total", "Questions that a cache was asked before the database."
		m.total(total, help, prometheus.Labels{"cache": name, "outcome": "hit"}, func() float64 { return float64(counts()[name].Hits) })
		m.total(total, help, prometheus.Labels{"cache": name, "outcome": "miss"}, func() float64 { return float64(counts()[name].Misses) })
	}
}

// Commits gives what takes note of commits that the embedded upstream has read.
func (m *Metrics) Commits() func(ago time.Duration) {
	m.commits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: prefix + "embedded_commit_delay_seconds", Help: "From a commit in the database to its rows being there for readers.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
	})
	m.registry.MustRegister(m.commits)
	return func(ago time.Duration) { m.commits.Observe(max(ago.Seconds(), 0)) }
}

// Embedded is what there is to see of an embedded upstream, as of an embedded.Server.
type Embedded interface {
	Stats() embedded.Stats
	Lag(ctx context.Context) (embedded.Lag, error)
}

// WatchEmbedded looks at the embedded upstream, and asks its database how far it is
// behind. While that does not answer the two metrics of it are missing.
func (m *Metrics) WatchEmbedded(server Embedded) {
	held := func(name, help string, value func(embedded.Stats) float64) {
		m.gauge("embedded_"+name, help, nil, func() float64 { return value(server.Stats()) })
	}
	held("shapes", "Shapes that the embedded upstream holds.", func(s embedded.Stats) float64 { return float64(s.Shapes) })
	held("memory_bytes", "Bytes of their logs and small snapshots in memory.", func(s embedded.Stats) float64 { return float64(s.MemoryBytes) })
	held("file_bytes", "Bytes of their large snapshots in temporary files.", func(s embedded.Stats) float64 { return float64(s.FileBytes) })
	held("files", "Those files.", func(s embedded.Stats) float64 { return float64(s.Files) })
	m.total("embedded_connects_total", "Times that the embedded upstream began to follow the database; 1 is the start.", nil,
		func() float64 { return float64(server.Stats().Connects) })
	m.total("embedded_losses_total", "Times that changes may have been lost, and every client had to start over.", nil,
		func() float64 { return float64(server.Stats().Losses) })
	m.registry.MustRegister(newLag(server.Lag))
}

// lag asks the database once for both of its metrics.
type lag struct {
	ask              func(context.Context) (embedded.Lag, error)
	unread, retained *prometheus.Desc
}

func newLag(ask func(context.Context) (embedded.Lag, error)) *lag {
	return &lag{
		ask:      ask,
		unread:   prometheus.NewDesc(prefix+"embedded_lag_bytes", "Bytes of the database's log that the embedded upstream has not read.", nil, nil),
		retained: prometheus.NewDesc(prefix+"embedded_slot_retained_bytes", "Bytes of its log that the database keeps for the replication slot.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (l *lag) Describe(to chan<- *prometheus.Desc) {
	to <- l.unread
	to <- l.retained
}

// lagTime is how long a scrape waits for the database.
const lagTime = time.Second

// Collect implements prometheus.Collector.
func (l *lag) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), lagTime)
	defer cancel()
	now, err := l.ask(ctx)
	if err != nil {
		return
	}
	to <- prometheus.MustNewConstMetric(l.unread, prometheus.GaugeValue, float64(now.Unread))
	to <- prometheus.MustNewConstMetric(l.retained, prometheus.GaugeValue, float64(now.Retained))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
