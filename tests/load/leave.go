package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// linger is how long a poll is kept for nobody (flight.Config).
const linger = 3 * time.Second

// leave measures what remains of clients who have left.
func (l *lab) leave(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	n := min(1000, l.most)
	// Those of the first round leave behind what the program has once: connections to
	// the database and the upstream that are kept, and the runtime's own.
	if _, err := l.left(ctx, gateway, n, false); err != nil {
		return err
	}
	last, err := l.left(ctx, gateway, n, true)
	if err != nil {
		return err
	}
	l.say("%d clients of one feed, who came one after another, leave at once.\n\n%s\nThe polls ended %.2f s after the last one had left; they stay open for %s for who comes back.\n\n", n,
		table([][]string{{"", "clients", "polls", "descriptors", "goroutines"}, last.before.row("before"), last.during.row("with them"), last.after.row("after")}),
		last.took.Seconds(), linger)
	l.hold(
		bound{what: "polls that end, s", got: last.took.Seconds(), limit: (linger + 100*time.Millisecond).Seconds(), timed: true},
		bound{what: "descriptors that remain", got: float64(max(last.after.descriptors-last.before.descriptors, 0)), limit: 0},
		bound{what: "goroutines that remain", got: float64(max(last.after.goroutines-last.before.goroutines, 0)), limit: 0},
	)
	return nil
}

// departure is what was there before clients came, with them, and after they had left.
type departure struct {
	before, during, after remains
	took                  time.Duration // until nothing was asked of the upstream any more
}

func (l *lab) left(ctx context.Context, gateway *child, n int, exact bool) (d departure, err error) {
	f, err := l.feed(ctx)
	if err != nil {
		return d, err
	}
	if d.before, err = gateway.remains(ctx); err != nil {
		return d, err
	}
	c := newCrowd(ctx, n)
	defer c.disperse()
	for i := range n {
		if err := c.add(l.via(gateway, f.tag), i); err != nil {
			return d, err
		}
	}
	if err := gateway.holds(c.ctx, n); err != nil {
		return d, err
	}
	if d.during, err = gateway.remains(ctx); err != nil {
		return d, err
	}
	c.disperse()
	left := time.Now()
	if err := gateway.until(ctx, "no polls", func(now look) bool { return now["realtime_gw_flights"] == 0 }); err != nil {
		return d, err
	}
	d.took = time.Since(left)
	if !exact {
		return d, nil
	}
	// Connections that are kept for the next call to the upstream end after 45 s, should
	// there be more than before.
	late := time.Now().Add(time.Minute)
	var failed error
	err = gateway.until(ctx, "what it had before", func(look) bool {
		d.after, failed = gateway.remains(ctx)
		return failed != nil || time.Now().After(late) || d.after.descriptors <= d.before.descriptors && d.after.goroutines <= d.before.goroutines
	})
	return d, errors.Join(err, failed)
}

// remains is what a gateway has.
type remains struct{ held, polls, descriptors, goroutines int }

func (c *child) remains(ctx context.Context) (r remains, err error) {
	now, err := c.look(ctx)
	if err != nil {
		return r, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.pid))
	return remains{int(now["realtime_gw_held_polls"]), int(now["realtime_gw_flights"]), len(open), int(now["go_goroutines"])}, err
}

func (r remains) row(name string) []string {
	return []string{name, fmt.Sprint(r.held), fmt.Sprint(r.polls), fmt.Sprint(r.descriptors), fmt.Sprint(r.goroutines)}
}
