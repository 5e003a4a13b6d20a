package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
)

// bulkTag is that of many runs, which nobody changes.
const bulkTag = "bulk"

// readersAtOnce is how many read the large feed at the same time, where that is measured.
const readersAtOnce = 50

// reading is one reading of the whole feed.
type reading struct {
	took time.Duration
	size int64
	cpu  cpu
	peak int64 // memory of the server
}

// way is one way to read the feed.
type way struct {
	name   string
	parts  []target // read one after the other
	server *child   // nil: the upstream itself
	rounds []reading
}

// snapshot measures how long it takes to read a large feed whole.
func (l *lab) snapshot(ctx context.Context) error {
	for _, t := range sides {
		if _, err := l.addRuns(ctx, t, l.demo.EnvironmentID, bulkTag, l.rows); err != nil {
			return err
		}
	}
	if err := l.vacuum(ctx); err != nil {
		return err
	}
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	if err := l.learn(ctx, gateway); err != nil {
		return err
	}
	nginx, err := l.nginx(ctx, l.upstream)
	if err != nil {
		return err
	}
	relay, err := l.relay(ctx, l.upstream)
	if err != nil {
		return err
	}
	direct, proxied, relayed := l.direct(l.upstream.addr, bulkTag), l.direct(nginx.addr, bulkTag), l.direct(relay.addr, bulkTag)
	ways := []*way{
		{name: "nginx, both shapes in turn", parts: proxied[:], server: nginx},
		{name: "gateway", parts: []target{l.via(gateway, bulkTag)}, server: gateway},
		{name: "direct, both shapes in turn", parts: direct[:]},
		{name: "relay, both shapes in turn", parts: relayed[:], server: relay},
	}
	for _, w := range ways {
		if err := w.warm(ctx, 2*l.rows); err != nil {
			return err
		}
	}
	for round := range l.rounds {
		for i := range ways {
			if err := ways[(round+i)%len(ways)].measure(ctx, l.upstream); err != nil {
				return err
			}
		}
	}
	l.reportReading(ways)
	return l.crowded(ctx)
}

// warm reads a feed once, so that upstream it is there, and counts.
func (w *way) warm(ctx context.Context, rows int) error {
	count := &counter{of: []byte(`"operation":"insert"`)}
	if _, err := read(ctx, w.parts, count); err != nil {
		return err
	}
	if count.n != rows {
		return fmt.Errorf("%s gave %d rows, not %d", w.name, count.n, rows)
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

// read reads targets whole, one after the other.
func read(ctx context.Context, parts []target, sink io.Writer) (size int64, err error) {
	for _, part := range parts {
		c := newReader(part, sink)
		n, err := c.catchUp(ctx)
		c.close()
		size += n
		if err != nil {
			return size, err
		}
	}
	return size, nil
}

func (w *way) measure(ctx context.Context, upstream *child) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	server := upstream
	if w.server != nil {
		server = w.server
	}
	resetPeak(server.pid)
	before := used(server, upstream)
	var r reading
	began := time.Now()
	r.size, err = read(ctx, w.parts, io.Discard)
	r.took = time.Since(began)
	r.cpu = used(server, upstream).since(before, 1)
	r.peak = peakMemory(server.pid)
	w.rounds = append(w.rounds, r)
	return err
}

func (l *lab) reportReading(ways []*way) {
	l.say("%d rows in each table, read by one client from the beginning until up to date; the shapes were read before, so upstream they are there; "+
		"medians of %d rounds in turn. CPU is user and system together, of the server that is asked, of the upstream behind it, and of the client.\n\n", l.rows, l.rounds)
	rows := [][]string{{"", "MiB", "seconds", "least to most", "MiB/s", "ratio", "server CPU s", "upstream CPU s", "client CPU s", "peak MiB"}}
	took := func(r reading) time.Duration { return r.took }
	base := median(pluck(ways[0].rounds, took))
	seconds := func(w *way, of func(reading) time.Duration) string {
		return fmt.Sprintf("%.2f", median(pluck(w.rounds, of)).Seconds())
	}
	for _, w := range ways {
		times := pluck(w.rounds, took)
		size, whole := w.rounds[0].size, median(times).Seconds()
		rows = append(rows, []string{w.name, mib(size), fmt.Sprintf("%.3f", whole),
			fmt.Sprintf("%.3f to %.3f", quantile(times, 0).Seconds(), quantile(times, 1).Seconds()),
			mib(int64(float64(size) / whole)), fmt.Sprintf("%.2f", float64(median(times))/float64(base)),
			seconds(w, func(r reading) time.Duration { return r.cpu.server }), seconds(w, func(r reading) time.Duration { return r.cpu.upstream }),
			seconds(w, func(r reading) time.Duration { return r.cpu.clients }),
			mib(quantile(pluck(w.rounds, func(r reading) int64 { return r.peak }), 1))})
	}
	l.say("%s\n", table(rows))
	l.hold(bound{what: "the large feed through the gateway, over nginx", got: float64(median(pluck(ways[1].rounds, took))) / float64(base), limit: 1.1, timed: true})
}

// crowded measures the memory that many readers of the large feed take, beside one.
func (l *lab) crowded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	rows := [][]string{{"clients at the same time", "gateway's peak MiB", "seconds until the last was done", "MiB/s together", "CPU of gateway, upstream, clients, s"}}
	many := min(readersAtOnce, l.most)
	var peaks []int64
	for _, n := range []int{1, many} {
		gateway, err := l.gateway(ctx, l.upstream)
		if err != nil {
			return err
		}
		before := used(gateway, l.upstream)
		resetPeak(gateway.pid)
		g, each := errgroup.WithContext(ctx)
		sizes := make([]int64, n)
		began := time.Now()
		for i := range n {
			g.Go(func() (err error) {
				sizes[i], err = read(each, []target{l.via(gateway, bulkTag)}, io.Discard)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return fmt.Errorf("%d at the same time: %w", n, err)
		}
		took := time.Since(began)
		var size int64
		for _, s := range sizes {
			size += s
		}
		peaks = append(peaks, peakMemory(gateway.pid))
		rows = append(rows, []string{fmt.Sprint(n), mib(peaks[len(peaks)-1]), fmt.Sprintf("%.2f", took.Seconds()), mib(int64(float64(size) / took.Seconds())),
			used(gateway, l.upstream).since(before, 1).seconds()})
	}
	l.say("The same feed, each time at a gateway that has just started:\n\n%s\n", table(rows))
	l.hold(bound{what: fmt.Sprintf("peak memory with %d clients, beyond that with one, MiB", many), got: float64(max(peaks[1]-peaks[0], 1)) / (1 << 20), limit: 32, timed: true})
	return nil
}
