package main

import (
	"context"
	"fmt"
	"time"
)

// atOnce has one environment follow many runs at the same moment.
func (l *lab) atOnce(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	owner, err := l.environments(ctx, 1)
	if err != nil {
		return err
	}
	n := min(1000, l.most)
	all, err := l.spread(ctx, n, owner)
	if err != nil {
		return err
	}
	c := admit(ctx, n, n, func(i int) target { return all[i].at(gateway) })
	defer c.disperse()
	rows := [][]string{{"after s", "clients of one environment that wait", "refused so far"}}
	began := time.Now()
	for _, at := range []time.Duration{1, 2, 5, 10} {
		select {
		case <-time.After(time.Until(began.Add(at * l.watching() / 20))):
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
		rows = append(rows, []string{fmt.Sprintf("%.1f", time.Since(began).Seconds()), fmt.Sprint(c.asking.Load()), statuses(c.refused())})
	}
	l.say("%d clients of one environment come at once, each for another run: it may begin %d feeds at once, and 25 a second then. "+
		"Who is refused comes again when `Retry-After` says so.\n\n%s\n", n, fromEach, table(rows))
	refused := c.refused()
	l.hold(bound{what: "refused with another status than 429", got: float64(total(refused) - refused[429]), limit: 0})
	return nil
}
