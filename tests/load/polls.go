package main

import (
	"context"
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// pollCommits is how many commits are made in each table while polls are counted.
const pollCommits = 5

// polls counts what a gateway asks its upstream for while clients of one feed follow it.
func (l *lab) polls(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	naive, err := l.naive(ctx)
	if err != nil {
		return err
	}
	l.say("Clients of one tag feed over both tables; %d commits in each table, each heard by all before the next. "+
		"Calls to the upstream that ended, by the gateway's own count, for each commit in that table. Naive: this gateway without shared calls.\n\n", pollCommits)
	rows := [][]string{{"clients", "TaskRun: polls per commit", "reads", "task_run_v2: polls per commit", "reads", "naive: polls per commit, TaskRun", "task_run_v2"}}
	var worst float64
	for _, n := range counts(1, l.most) {
		ours, err := l.countPolls(ctx, gateway, n)
		if err != nil {
			return fmt.Errorf("%d clients: %w", n, err)
		}
		row := []string{fmt.Sprint(n)}
		for _, side := range ours {
			row = append(row, fmt.Sprintf("%.1f", side.polls), fmt.Sprintf("%.1f", side.reads))
			worst = max(worst, side.polls)
		}
		if need := 3*n + 100; need > l.descriptors { // a client's and two polls
			rows = append(rows, append(row, fmt.Sprintf("left out: takes %d descriptors", need), ""))
			continue
		}
		theirs, err := l.countPolls(ctx, naive, n)
		if err != nil {
			return fmt.Errorf("naive, %d clients: %w", n, err)
		}
		rows = append(rows, append(row, fmt.Sprintf("%.1f", theirs[0].polls), fmt.Sprintf("%.1f", theirs[1].polls)))
	}
	l.say("%s\n", table(rows))
	l.hold(bound{what: "polls per commit and side, the most of all", got: worst, limit: 2})
	return nil
}

// counts are how many clients there are, ten times as many each time up to the most.
func counts(first, most int) (all []int) {
	for n := first; n < most; n *= 10 {
		if n != 10 { // it says nothing that 1 and 100 do not
			all = append(all, n)
		}
	}
	return append(all, most)
}

// perCommit is what one commit costs an upstream on one side.
type perCommit struct{ polls, reads float64 }

func (l *lab) countPolls(ctx context.Context, gateway *child, n int) (per [2]perCommit, err error) {
	f, err := l.feed(ctx)
	if err != nil {
		return per, err
	}
	c, err := gather(ctx, n, func(int) target { return l.via(gateway, f.tag) })
	if err != nil {
		return per, err
	}
	defer c.disperse()
	calls := func() (ended [2]perCommit, err error) {
		if err := gateway.holds(c.ctx, n); err != nil {
			return ended, err
		}
		now, err := gateway.look(c.ctx)
		for i, t := range [2]runid.Table{runid.Legacy, runid.V2} {
			of := fmt.Sprintf("table=%q", t.Name())
			ended[i] = perCommit{
				now.sum("realtime_gw_upstream_calls_total", of, `kind="wait"`), now.sum("realtime_gw_upstream_calls_total", of, `kind="read"`),
			}
		}
		return ended, err
	}
	before, err := calls()
	if err != nil {
		return per, err
	}
	for i := range 2 * pollCommits {
		number, commit := l.commit(f, i%2)
		if _, err := c.hear(n, number, commit); err != nil {
			return per, err
		}
	}
	after, err := calls()
	for i := range per {
		per[i] = perCommit{(after[i].polls - before[i].polls) / pollCommits, (after[i].reads - before[i].reads) / pollCommits}
	}
	return per, err
}
