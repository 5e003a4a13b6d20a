package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
)

// reading is one reading of the whole feed.
type reading struct {
	took                      time.Duration
	size                      int64
	upstreamCPU, gatewayCPU   time.Duration
	upstreamPeak, gatewayPeak int64
}

// way is one way to read the feed.
type way struct {
	name    string
	readers []*reader
	read    func(context.Context, []*reader) (int64, error)
	rounds  []reading
}

// snapshots measures how long it takes to read a large feed whole.
func (p plan) snapshots(ctx context.Context, st *stack, out io.Writer) error {
	gateway := st.viaGateway(bulkTag)
	defer gateway.close()
	if err := p.warm(ctx, gateway, 2*p.rows); err != nil {
		return err
	}
	direct, err := st.direct(bulkTag, gateway.schema)
	if err != nil {
		return err
	}
	for _, r := range direct {
		defer r.close()
		if err := p.warm(ctx, r, p.rows); err != nil {
			return err
		}
	}
	ways := []*way{
		{name: "direct, both shapes at once", readers: direct[:], read: atOnce},
		{name: "direct, one after the other", readers: direct[:], read: inTurn},
		{name: "gateway", readers: []*reader{gateway}, read: inTurn},
	}
	for round := range p.rounds {
		for i := range ways {
			w := ways[(round+i)%len(ways)]
			if err := w.measure(ctx, st); err != nil {
				return err
			}
		}
	}
	report(out, p, ways)
	if p.perf == "" {
		return nil
	}
	return record(ctx, p.perf, st.gateway, func() error {
		for range 2 * p.rounds {
			if err := ways[len(ways)-1].measure(ctx, st); err != nil {
				return err
			}
		}
		return nil
	})
}

// warm reads a feed or shape once, so that upstream it is there, and counts.
func (p plan) warm(ctx context.Context, r *reader, rows int) error {
	count := &counter{of: []byte(`"operation":"insert"`)}
	if _, err := r.catchUp(ctx, count); err != nil {
		return err
	}
	if count.n != rows {
		return fmt.Errorf("%s gave %d rows, not %d", r.addr, count.n, rows)
	}
	return nil
}

// counter counts how often a text is in what is written to it.
type counter struct {
	of   []byte
	n    int
	rest []byte // the end of the last piece, where the text may have begun
}

func (c *counter) Write(piece []byte) (int, error) {
	c.rest = append(c.rest, piece...)
	c.n += bytes.Count(c.rest, c.of)
	c.rest = append(c.rest[:0], c.rest[max(0, len(c.rest)-len(c.of)+1):]...)
	return len(piece), nil
}

func inTurn(ctx context.Context, readers []*reader) (size int64, err error) {
	for _, r := range readers {
		r.restart()
		n, err := r.catchUp(ctx, io.Discard)
		size += n
		if err != nil {
			return size, err
		}
	}
	return size, nil
}

func atOnce(ctx context.Context, readers []*reader) (size int64, err error) {
	sizes := make([]int64, len(readers))
	g, ctx := errgroup.WithContext(ctx)
	for i, r := range readers {
		g.Go(func() (err error) {
			sizes[i], err = inTurn(ctx, []*reader{r})
			return err
		})
	}
	err = g.Wait()
	for _, n := range sizes {
		size += n
	}
	return size, err
}

func (w *way) measure(ctx context.Context, st *stack) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resetPeak(st.upstream.pid)
	resetPeak(st.gateway.pid)
	upstream, gateway := cpuTime(st.upstream.pid), cpuTime(st.gateway.pid)
	var r reading
	began := time.Now()
	r.size, err = w.read(ctx, w.readers)
	r.took = time.Since(began)
	r.upstreamCPU, r.gatewayCPU = cpuTime(st.upstream.pid)-upstream, cpuTime(st.gateway.pid)-gateway
	r.upstreamPeak, r.gatewayPeak = peakMemory(st.upstream.pid), peakMemory(st.gateway.pid)
	w.rounds = append(w.rounds, r)
	return err
}

func report(out io.Writer, p plan, ways []*way) {
	fmt.Fprintf(out, "## Reading a large feed\n\n%d rows in each table, read from the beginning until up to date; the shapes were read before, so upstream they are there; "+
		"%d rounds of all three in turn, medians. CPU is user and system together.\n\n", p.rows, p.rounds)
	rows := [][]string{{"read", "MiB", "seconds", "least to most", "MiB/s", "ratio of times", "gateway CPU s", "upstream CPU s", "gateway peak MiB", "upstream peak MiB"}}
	took := func(r reading) time.Duration { return r.took }
	base := median(pluck(ways[0].rounds, took))
	for _, w := range ways {
		times := pluck(w.rounds, took)
		size := w.rounds[0].size
		seconds := median(times).Seconds()
		row := []string{w.name, mib(size), fmt.Sprintf("%.3f", seconds),
			fmt.Sprintf("%.3f to %.3f", quantile(times, 0).Seconds(), quantile(times, 1).Seconds()),
			mib(int64(float64(size) / seconds)), fmt.Sprintf("%.2f", float64(median(times))/float64(base))}
		for _, cpu := range []func(reading) time.Duration{
			func(r reading) time.Duration { return r.gatewayCPU }, func(r reading) time.Duration { return r.upstreamCPU },
		} {
			row = append(row, fmt.Sprintf("%.2f", median(pluck(w.rounds, cpu)).Seconds()))
		}
		for _, peak := range []func(reading) int64{
			func(r reading) int64 { return r.gatewayPeak }, func(r reading) int64 { return r.upstreamPeak },
		} {
			row = append(row, mib(quantile(pluck(w.rounds, peak), 1)))
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(out, table(rows))
}
