package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	// fromEach is how many runs of one environment are followed: new feeds that it may
	// begin at once (flight.PerEnvironment).
	fromEach = 250
	// admitted is how many calls an upstream is asked for at most (admission.Config).
	admitted = 8000
)

// waiting is what clients who each follow a run of their own cost.
type waiting struct {
	clients, origins int
	joined           time.Duration // until all waited, or as many as can
	joining, idle    cpu           // idle is for each second
	polls            int
	base, memory     memory      // of the gateway, before and with them
	upstream         int64       // memory that came on top
	early, refused   map[int]int // refusals until they waited, and while that was watched
	known, new       int         // of them by the gateway, for calls of each kind that it did not make
	delays           []time.Duration
}

// runs measures clients who share nothing: each follows another run.
func (l *lab) runs(ctx context.Context) error {
	n := min(l.most, (l.descriptors-400)/2) // a client's descriptor and a poll's
	wide, err := l.wait(ctx, n, 2)
	if err != nil {
		return fmt.Errorf("two upstreams: %w", err)
	}
	narrow, err := l.wait(ctx, l.most, 1)
	if err != nil {
		return fmt.Errorf("one upstream: %w", err)
	}
	l.say("Each client follows a run of its own; %d runs of each environment. The gateway asks for each run by itself, and %d calls of one upstream at most: "+
		"with two there is room for all. CPU is of gateway, upstreams and clients, in cores while nothing happens for %s.\n\n", fromEach, admitted, l.watching())
	l.reportWaiting(wide, narrow)
	return l.atOnce(ctx)
}

// watching is for how long it is watched what clients who wait cost. Polls are renewed
// every 20 s.
func (l *lab) watching() time.Duration {
	return min(20*time.Second, time.Duration(l.most)*10*time.Millisecond)
}

func (l *lab) wait(ctx context.Context, n, origins int) (w waiting, err error) {
	w = waiting{clients: n, origins: origins}
	var upstreams []*child
	for range origins { // new ones: they have made no shape yet
		u, err := l.shapes(ctx)
		if err != nil {
			return w, err
		}
		upstreams = append(upstreams, u)
	}
	gateway, err := l.gateway(ctx, upstreams...)
	if err != nil {
		return w, err
	}
	defer func() {
		if stopped := l.stop(append(upstreams, gateway)...); err == nil {
			err = stopped
		}
	}()
	owners, err := l.environments(ctx, (n+fromEach-1)/fromEach)
	if err != nil {
		return w, err
	}
	all, err := l.spread(ctx, n, owners)
	if err != nil {
		return w, err
	}
	now := func() cpu { return used(gateway, upstreams...) }
	if w.base, err = gateway.memory(ctx); err != nil {
		return w, err
	}
	for _, u := range upstreams {
		w.upstream -= resident(u.pid)
	}
	before, began := now(), time.Now()
	c := admit(ctx, n, joining, func(i int) target { return all[i].at(gateway) })
	defer c.disperse()
	full := min(n, admitted*origins)
	if err := gateway.polls(c.ctx, full); err != nil && !late(c, err) {
		return w, err
	}
	w.joined, w.joining = time.Since(began), now().since(before, 1)
	// And whoever has no place there has been told so.
	if err := c.until(func() bool { return total(c.refused()) >= n-full }); err != nil && !late(c, err) {
		return w, err
	}
	earlier, err := gateway.look(c.ctx)
	if err != nil {
		return w, err
	}
	if err := w.watch(c, l.watching(), now); err != nil {
		return w, err
	}
	metrics, err := gateway.look(c.ctx)
	if err != nil {
		return w, err
	}
	unmade := func(kind string) int {
		const name = "realtime_gw_upstream_budget_refusals_total"
		return int(metrics.sum(name, kind) - earlier.sum(name, kind))
	}
	w.known, w.new = unmade(`kind="known"`), unmade(`kind="new"`)
	w.polls = int(metrics.sum("realtime_gw_upstream_calls", `kind="known"`))
	if w.polls >= n {
		if err := w.listen(l, c, all); err != nil {
			return w, err
		}
	}
	for _, u := range upstreams {
		w.upstream += resident(u.pid)
	}
	w.memory, err = gateway.memory(c.ctx)
	return w, err
}

// polls returns when a gateway has so many polls open.
func (c *child) polls(ctx context.Context, want int) error {
	return c.until(ctx, fmt.Sprint(want, " polls"), func(now look) bool { return int(now.sum("realtime_gw_upstream_calls", `kind="known"`)) >= want })
}

// late says that something did not come in time, and that the crowd is well nevertheless: that
// is part of the report, and a bound is missed.
func late(c *crowd, err error) bool {
	return errors.Is(err, context.DeadlineExceeded) && c.ctx.Err() == nil
}

// watch lets time pass, and sees what that costs.
func (w *waiting) watch(c *crowd, while time.Duration, now func() cpu) error {
	before := now()
	w.early = c.refused()
	began := time.Now()
	select {
	case <-time.After(while):
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	w.idle = now().since(before, 1)
	for _, each := range []*time.Duration{&w.idle.server, &w.idle.upstream, &w.idle.clients} {
		*each = time.Duration(float64(*each) / time.Since(began).Seconds())
	}
	w.refused = c.refused()
	for status, n := range w.early {
		w.refused[status] -= n
	}
	return nil
}

// listen has some of the runs change.
func (w *waiting) listen(l *lab, c *crowd, all []run) error {
	random := rand.New(rand.NewPCG(1, 2))
	for range l.changes {
		of := all[random.IntN(len(all))]
		number, commit := l.update(of.table, of.id)
		heard, err := c.hear(1, number, commit)
		if err != nil {
			return err
		}
		w.delays = append(w.delays, heard...)
	}
	return nil
}

func (l *lab) reportWaiting(kinds ...waiting) {
	kib := func(n int64, of int) string { return fmt.Sprintf("%.1f", float64(n)/1024/float64(max(of, 1))) }
	all := func(m memory) int64 { return m.heap + m.stacks }
	lines := []struct {
		name string
		of   func(waiting) string
	}{
		{"", func(w waiting) string { return fmt.Sprintf("%d clients, upstreams: %d", w.clients, w.origins) }},
		{"until they wait, s", func(w waiting) string { return fmt.Sprintf("%.1f", w.joined.Seconds()) }},
		{"CPU of that, s: gateway, upstreams, clients", func(w waiting) string { return w.joining.seconds() }},
		{"refused until then, by status", func(w waiting) string { return statuses(w.early) }},
		{"CPU while they wait, cores: gateway, upstreams, clients", func(w waiting) string { return w.idle.seconds() }},
		{"refused while that was watched, by status", func(w waiting) string { return statuses(w.refused) }},
		{"calls that were not made meanwhile, with a handle and without", func(w waiting) string { return fmt.Sprintf("%d, %d", w.known, w.new) }},
		{"polls that wait upstream", func(w waiting) string { return fmt.Sprint(w.polls) }},
		{"gateway: heap and stacks, MiB", func(w waiting) string { return mib(all(w.memory)) }},
		{"of that for each client, KiB", func(w waiting) string { return kib(all(w.memory)-all(w.base), w.clients) }},
		{"gateway: resident, MiB", func(w waiting) string { return mib(w.memory.rss) }},
		{"upstreams: resident, more than before, for each poll, KiB", func(w waiting) string { return kib(w.upstream, w.polls) }},
		{"a commit to its client, median and p99, ms", func(w waiting) string {
			if len(w.delays) == 0 {
				return "-"
			}
			return ms(median(w.delays)) + ", " + ms(quantile(w.delays, 0.99))
		}},
	}
	var rows [][]string
	for _, line := range lines {
		row := []string{line.name}
		for _, w := range kinds {
			row = append(row, line.of(w))
		}
		rows = append(rows, row)
	}
	l.say("%s\n", table(rows))
	l.hold(
		bound{what: "refused, with room for all", got: float64(total(kinds[0].early) + total(kinds[0].refused)), limit: 0},
		bound{what: "polls at two upstreams", got: float64(kinds[0].polls), limit: float64(kinds[0].clients), least: true, timed: true},
		bound{what: "polls at one upstream", got: float64(kinds[1].polls), limit: admitted},
		bound{what: "refused by one upstream, but with another status than 503", got: float64(total(kinds[1].refused) - kinds[1].refused[503] + kinds[1].early[429]), limit: 0},
	)
}

// statuses writes how often each came.
func statuses(of map[int]int) string {
	var words []string
	for _, status := range []int{429, 503} {
		if of[status] > 0 {
			words = append(words, fmt.Sprintf("%d: %d times", status, of[status]))
		}
	}
	if words == nil {
		return "none"
	}
	return strings.Join(words, ", ")
}

func total(of map[int]int) (sum int) {
	for _, n := range of {
		sum += n
	}
	return sum
}
