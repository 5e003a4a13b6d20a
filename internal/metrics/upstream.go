package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// What became of a call to an upstream, by its number in these words.
var callOutcomes = [...]string{"ok", "empty", "rotated", "unavailable", "refused", "cancelled"}

const (
	callOK = iota
	callEmpty
	callRotated
	callUnavailable
	callRefused
	callCancelled
)

// callsOf are the children of one kind of call for one table.
type callsOf [len(callOutcomes)]prometheus.Counter

// tableCalls counts the calls for one table.
type tableCalls struct {
	read, wait callsOf
	began      prometheus.Observer // of reads
}

func newCalls(m *Metrics) map[shapes.Table]*tableCalls {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "upstream_calls_total", Help: "Calls to upstreams that were answered, or failed.",
	}, []string{"table", "kind", "outcome"})
	began := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "upstream_read_duration_seconds", Help: "How long the head of an upstream's answer to a read took.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"table"})
	m.registry.MustRegister(total, began)
	made := make(map[shapes.Table]*tableCalls)
	for _, table := range [...]shapes.Table{shapes.LegacyTable, shapes.V2Table} {
		t := &tableCalls{began: began.WithLabelValues(table.Name)}
		for i, word := range callOutcomes {
			t.read[i] = total.WithLabelValues(table.Name, "read", word)
			t.wait[i] = total.WithLabelValues(table.Name, "wait", word)
		}
		made[table] = t
	}
	return made
}

func (c *callsOf) count(err error, ok int) {
	if err != nil {
		ok = failureOf(err)
	}
	c[ok].Inc()
}

func failureOf(err error) int {
	if _, ok := errors.AsType[*shapes.Rotated](err); ok {
		return callRotated
	}
	if _, ok := errors.AsType[*shapes.Unavailable](err); ok {
		return callUnavailable
	}
	if _, ok := errors.AsType[*shapes.Refused](err); ok {
		return callRefused
	}
	return callCancelled
}

// counted is a Source whose calls are counted.
type counted struct {
	next   shapes.Source
	tables map[shapes.Table]*tableCalls
}

// Count gives a Source like next whose calls are counted: each one that is made, also
// those that are made again after a fault.
func (m *Metrics) Count(next shapes.Source) shapes.Source { return &counted{next, m.upstream} }

// Read is shapes.Source's.
func (c *counted) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	began := time.Now()
	page, err := c.next.Read(ctx, def, pos)
	if t := c.tables[def.Table()]; t != nil {
		t.read.count(err, callOK)
		if err == nil {
			t.began.Observe(time.Since(began).Seconds())
		}
	}
	return page, err
}

// Wait is shapes.Source's.
func (c *counted) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	news, err := c.next.Wait(ctx, def, pos)
	if t := c.tables[def.Table()]; t != nil {
		ok := callOK
		if err == nil && news.Count == 0 {
			ok = callEmpty
		}
		t.wait.count(err, ok)
	}
	return news, err
}

// Landed takes note of a flight that brought news.
func (m *Metrics) Landed(waiters int) { m.waiters.Observe(float64(waiters)) }
