package main

import (
	"context"
	"fmt"
)

// parked measures the memory of a gateway whose clients all wait.
func (l *lab) parked(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
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
	l.say("%d clients of one feed wait, over HTTP/1.1, before and after the measuring; heap and stacks after garbage collection, "+
		"resident memory before it; medians of %d rounds in turn. Bare: a net/http handler that parks its clients and does nothing else.\n\n", l.most, l.rounds)
	kinds := []*struct {
		name   string
		server *child
		rounds []memory
	}{{name: "bare", server: bare}, {name: "gateway", server: gateway}}
	for round := range l.rounds {
		for i := range kinds {
			k := kinds[(round+i)%len(kinds)]
			m, err := l.park(ctx, k.server)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			k.rounds = append(k.rounds, m)
		}
	}
	rows := [][]string{{"", "heap MiB", "stacks MiB", "together MiB", "KiB a client", "least to most MiB", "ratio", "resident MiB"}}
	both := func(m memory) int64 { return m.heap + m.stacks }
	base := median(pluck(kinds[0].rounds, both))
	for _, k := range kinds {
		all := pluck(k.rounds, both)
		rows = append(rows, []string{k.name, mib(median(pluck(k.rounds, func(m memory) int64 { return m.heap }))),
			mib(median(pluck(k.rounds, func(m memory) int64 { return m.stacks }))), mib(median(all)),
			fmt.Sprintf("%.1f", float64(median(all))/1024/float64(l.most)), mib(quantile(all, 0)) + " to " + mib(quantile(all, 1)),
			fmt.Sprintf("%.2f", float64(median(all))/float64(base)), mib(median(pluck(k.rounds, func(m memory) int64 { return m.rss })))})
	}
	l.say("%s\n", table(rows))
	l.hold(bound{what: "memory of the gateway over that of bare", got: float64(median(pluck(kinds[1].rounds, both))) / float64(base), limit: 1.15, timed: true})
	return nil
}

// park measures one server while clients wait at it.
func (l *lab) park(ctx context.Context, server *child) (m memory, err error) {
	f, err := l.feed(ctx)
	if err != nil {
		return m, err
	}
	c, err := gather(ctx, l.most, func(int) target { return l.via(server, f.tag) })
	if err != nil {
		return m, err
	}
	if err := server.holds(c.ctx, l.most); err != nil {
		return m, err
	}
	if m, err = server.memory(c.ctx); err != nil {
		return m, err
	}
	if err := server.holds(c.ctx, l.most); err != nil { // nobody has left
		return m, err
	}
	c.disperse()
	return m, server.holds(ctx, 0)
}
