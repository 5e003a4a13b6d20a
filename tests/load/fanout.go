package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// fanCommits is how many commits are measured while one crowd is there.
const fanCommits = 3

// fanned is what the commits of one round came to.
type fanned struct {
	last, middle, p99 time.Duration // of all clients, the median of the commits
	cpu               cpu           // for each commit
}

// fan is something that clients can follow a feed at.
type fan struct {
	name   string
	at     func(feed) target
	commit func(feed) (int, change)
	server *child // nil: the upstream itself
	holds  bool   // the server says how many wait
	most   int    // clients that it can take
	rounds []fanned
}

// fanout measures how long it takes until the last of many clients has a commit.
func (l *lab) fanout(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	if err := l.learn(ctx, gateway); err != nil {
		return err
	}
	naive, err := l.naive(ctx)
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
	nginx, err := l.nginx(ctx, l.upstream)
	if err != nil {
		return err
	}
	l.say("All clients wait; a commit changes one run, of task_run_v2; milliseconds from sending COMMIT until a client has the whole answer. "+
		"Medians of %d rounds in turn, each the median of %d commits. Bare is woken with the gateway's bytes, and told so over HTTP instead of by a commit. "+
		"Direct and nginx: a client has one poll, for the shape that changes, and not the two that it needed. "+
		"CPU is what one commit costs, user and system, until all wait again.\n\n", l.rounds, fanCommits)
	update := func(f feed) (int, change) { return l.commit(f, 1) }
	for _, n := range counts(1000, l.most) {
		fans := []*fan{
			{name: "bare", at: func(f feed) target { return l.via(bare, f.tag) }, commit: l.wakes(bare, answer), server: bare, holds: true, most: l.descriptors},
			{name: "gateway", at: func(f feed) target { return l.via(gateway, f.tag) }, commit: update, server: gateway, holds: true, most: l.descriptors},
			{name: "direct", at: func(f feed) target { return l.direct(l.upstream.addr, f.tag)[1] }, commit: update, most: l.descriptors},
			{name: "naive", at: func(f feed) target { return l.via(naive, f.tag) }, commit: update, server: naive, holds: true, most: min(l.descriptors/3-100, 1000)},
			{name: "nginx", at: func(f feed) target { return l.direct(nginx.addr, f.tag)[1] }, commit: update, server: nginx, most: l.descriptors/2 - 100},
		}
		if err := l.fanAll(ctx, fans, n); err != nil {
			return err
		}
		l.reportFans(fans, n)
	}
	return nil
}

// wakes stands for commits where there is no database.
func (l *lab) wakes(bare *child, answer *news) func(feed) (int, change) {
	return func(feed) (int, change) {
		l.commits++
		told := answer.numbered(l.commits)
		return l.commits, func(ctx context.Context) (time.Time, error) {
			sent := time.Now()
			return sent, wake(ctx, bare, told)
		}
	}
}

func (l *lab) fanAll(ctx context.Context, fans []*fan, n int) error {
	for round := range l.rounds {
		for i := range fans {
			k := fans[(round+i)%len(fans)]
			if n > k.most {
				continue
			}
			got, err := l.fan(ctx, k, n)
			if err != nil {
				return fmt.Errorf("%s, %d clients: %w", k.name, n, err)
			}
			k.rounds = append(k.rounds, got)
		}
	}
	return nil
}

// fan has clients gather, and measures some commits after one that is not measured.
func (l *lab) fan(ctx context.Context, k *fan, n int) (got fanned, err error) {
	f, err := l.feed(ctx)
	if err != nil {
		return got, err
	}
	c, err := gather(ctx, n, func(int) target { return k.at(f) })
	if err != nil {
		return got, err
	}
	defer c.disperse()
	pids := []int{os.Getpid(), l.upstream.pid}
	if k.server != nil {
		pids = append(pids, k.server.pid)
	}
	var last, middle, p99 []time.Duration
	var before cpu
	for i := range 1 + fanCommits {
		if err := c.all(); err != nil {
			return got, err
		}
		if k.holds { // bare has no memory: who does not wait yet never hears
			if err := k.server.holds(c.ctx, n); err != nil {
				return got, err
			}
		}
		if err := quiet(c.ctx, pids...); err != nil {
			return got, err
		}
		if i == 1 {
			before = used(k.server, l.upstream)
		}
		number, commit := k.commit(f)
		delays, err := c.hear(n, number, commit)
		if err != nil {
			return got, err
		}
		if i > 0 {
			last, middle, p99 = append(last, quantile(delays, 1)), append(middle, median(delays)), append(p99, quantile(delays, 0.99))
		}
	}
	if err := quiet(c.ctx, pids...); err != nil {
		return got, err
	}
	return fanned{median(last), median(middle), median(p99), used(k.server, l.upstream).since(before, fanCommits)}, nil
}

func (l *lab) reportFans(fans []*fan, n int) {
	rows := [][]string{{fmt.Sprint(n, " clients"), "last", "least to most", "ratio to bare", "p99", "median client", "server CPU", "upstream CPU", "clients' CPU"}}
	figure := func(k *fan, of func(fanned) time.Duration) time.Duration { return median(pluck(k.rounds, of)) }
	last := func(f fanned) time.Duration { return f.last }
	base := float64(figure(fans[0], last))
	for _, k := range fans {
		if len(k.rounds) == 0 {
			rows = append(rows, []string{k.name, "left out: too many", "", "", "", "", "", "", ""})
			continue
		}
		all := pluck(k.rounds, last)
		rows = append(rows, []string{k.name, ms(median(all)), ms(quantile(all, 0)) + " to " + ms(quantile(all, 1)), fmt.Sprintf("%.2f", float64(median(all))/base),
			ms(figure(k, func(f fanned) time.Duration { return f.p99 })), ms(figure(k, func(f fanned) time.Duration { return f.middle })),
			ms(figure(k, func(f fanned) time.Duration { return f.cpu.server })), ms(figure(k, func(f fanned) time.Duration { return f.cpu.upstream })),
			ms(figure(k, func(f fanned) time.Duration { return f.cpu.clients }))})
	}
	l.say("%s\n", table(rows))
	upstream := func(k *fan) float64 {
		return max(float64(figure(k, func(f fanned) time.Duration { return f.cpu.upstream })), float64(10*time.Microsecond))
	}
	l.hold(
		bound{what: fmt.Sprintf("the last of %d clients, over bare", n), got: float64(figure(fans[1], last)) / base, limit: 1.5, timed: true},
		bound{what: fmt.Sprintf("the upstream's CPU for a commit to %d clients, direct over gateway", n), got: upstream(fans[2]) / upstream(fans[1]), limit: 5, least: true, timed: true},
	)
	l.say("%s", beside(n, figure(fans[1], last)))
}

// beside sets a figure beside what was measured of Electric itself, once and elsewhere: the
// upstream here is written in Go and asked over loopback, and Electric takes longer.
func beside(clients int, last time.Duration) string {
	recorded := map[int]time.Duration{100: 22 * time.Millisecond, 1000: 282 * time.Millisecond, 5000: 1400 * time.Millisecond}
	electric, ok := recorded[clients]
	if !ok {
		return ""
	}
	return fmt.Sprintf("For reference, and not of this run: the last of %d who ask Electric 1.7.12 directly has a commit after %s ms (2 cores, rows of 1 KB), %.1f times the gateway's figure.\n\n",
		clients, ms(electric), float64(electric)/float64(last))
}
