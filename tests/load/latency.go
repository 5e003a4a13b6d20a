package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// warmUp commits begin every turn and are not measured: they show that the client waits.
const warmUp = 5

// turns are those that each has in a round. A machine that becomes slower within a round is
// slower for all then.
const turns = 5

// latency measures how much later one client has a commit through the gateway.
func (l *lab) latency(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	if err := l.learn(ctx, gateway); err != nil {
		return err
	}
	answer, err := l.record(ctx, gateway)
	if err != nil {
		return err
	}
	bare, err := l.bare(ctx, answer)
	if err != nil {
		return err
	}
	l.say("One client of a tag feed over both tables, on a kept connection; commits of one row in the two tables in turn, 5 to 30 ms after the one before was heard; "+
		"milliseconds from sending COMMIT to the whole answer; %d rounds of %d commits of each, in %d turns a round. Direct: a client with a poll for each of the two shapes; nginx and relay (the standard library's reverse proxy): the same through these, which is what a hop costs here, in C and in Go. "+
		"Bare has no database: it is woken over HTTP.\n\n", l.rounds, l.changes, turns)
	nginx, err := l.nginx(ctx, l.upstream)
	if err != nil {
		return err
	}
	relay, err := l.relay(ctx, l.upstream)
	if err != nil {
		return err
	}
	wakes := l.wakes(bare, answer)
	update := func(f feed, i int) (int, change) { return l.commit(f, i%2) }
	kinds := []*struct {
		name   string
		polls  int
		at     func(f feed, i int) target
		commit func(f feed, i int) (int, change)
		waits  func(context.Context) error // until the client waits; nil: whoever comes later hears, too
		rounds [][]time.Duration
	}{
		{name: "direct", polls: 2, at: func(f feed, i int) target { return l.direct(l.upstream.addr, f.tag)[i] }, commit: update},
		{name: "gateway", polls: 1, at: func(f feed, _ int) target { return l.via(gateway, f.tag) }, commit: update},
		{name: "nginx", polls: 2, at: func(f feed, i int) target { return l.direct(nginx.addr, f.tag)[i] }, commit: update},
		{name: "relay", polls: 2, at: func(f feed, i int) target { return l.direct(relay.addr, f.tag)[i] }, commit: update},
		{name: "bare", polls: 1, at: func(f feed, _ int) target { return l.via(bare, f.tag) },
			commit: func(f feed, _ int) (int, change) { return wakes(f) },
			waits:  func(ctx context.Context) error { return bare.holds(ctx, 1) }}, // bare has no memory
	}
	for round := range l.rounds {
		for turn := range turns {
			for i := range kinds {
				k := kinds[(round+turn+i)%len(kinds)]
				f, err := l.feed(ctx)
				if err != nil {
					return err
				}
				changes := l.changes*(turn+1)/turns - l.changes*turn/turns
				delays, err := alone(ctx, changes, k.polls, func(i int) target { return k.at(f, i) }, func(i int) (int, change) { return k.commit(f, i) }, k.waits)
				if err != nil {
					return fmt.Errorf("%s: %w", k.name, err)
				}
				if turn == 0 {
					k.rounds = append(k.rounds, nil)
				}
				k.rounds[round] = append(k.rounds[round], delays...)
			}
		}
	}
	rows := [][]string{{"", "median", "least to most of a round", "p99", "median over direct's", "p99 over direct's"}}
	medians := func(k [][]time.Duration) []time.Duration {
		return pluck(k, median[time.Duration])
	}
	p99s := func(k [][]time.Duration) time.Duration {
		return median(pluck(k, func(r []time.Duration) time.Duration { return quantile(r, 0.99) }))
	}
	base, base99 := median(medians(kinds[0].rounds)), p99s(kinds[0].rounds)
	for _, k := range kinds {
		all := medians(k.rounds)
		rows = append(rows, []string{k.name, ms(median(all)), ms(quantile(all, 0)) + " to " + ms(quantile(all, 1)), ms(p99s(k.rounds)),
			ms(median(all) - base), ms(p99s(k.rounds) - base99)})
	}
	l.say("%s\n", table(rows))
	added := median(medians(kinds[1].rounds)) - base
	l.hold(bound{what: "added at the median, ms", got: float64(added) / float64(time.Millisecond), limit: 0.3, timed: true})
	return nil
}

// alone measures the commits of one turn, which one client hears, with one poll or two.
func alone(ctx context.Context, changes, polls int, at func(int) target, next func(i int) (int, change), waits func(context.Context) error) ([]time.Duration, error) {
	c, err := gather(ctx, polls, at)
	if err != nil {
		return nil, err
	}
	defer c.disperse()
	random := rand.New(rand.NewPCG(1, 2))
	var delays []time.Duration
	for i := range warmUp + changes {
		if waits != nil {
			if err := waits(c.ctx); err != nil {
				return nil, err
			}
		}
		select {
		case <-time.After(5*time.Millisecond + time.Duration(random.Int64N(int64(25*time.Millisecond)))):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		number, commit := next(i)
		heard, err := c.hear(1, number, commit)
		if err != nil {
			return nil, err
		}
		if i >= warmUp {
			delays = append(delays, heard...)
		}
	}
	return delays, nil
}
