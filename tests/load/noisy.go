package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// quietOnes is how many environments go on as always while another one makes noise.
const quietOnes = 100

// quietly is what the quiet environments have felt for a while.
type quietly struct {
	name    string
	delays  []time.Duration // from a commit to its client
	joins   []time.Duration // of a client that reads a feed from the beginning
	refused int
	server  float64 // CPU of the gateway, cores
}

// noise is an environment that asks for one feed after another.
type noise struct {
	asked, followed atomic.Int64
	refusals        *crowd // counts them, and holds who was let in
}

// noisy measures what one environment that asks for far too much does to others.
func (l *lab) noisy(ctx context.Context) error {
	gateway, err := l.gateway(ctx, l.upstream)
	if err != nil {
		return err
	}
	owners, err := l.environments(ctx, 1+min(quietOnes, l.most))
	if err != nil {
		return err
	}
	loud, owners := owners[0], owners[1:]
	quiet := make([]run, len(owners))
	for i, owner := range append(owners, loud) {
		for _, table := range sides {
			ids, err := l.addRuns(ctx, table, owner.id, "quiet", 1)
			if err != nil {
				return err
			}
			if i < len(quiet) {
				quiet[i] = run{table, ids[0], owner}
			}
		}
	}
	at := func(i int) target { return target{gateway.addr, "/realtime/v1/runs?tags=quiet&", owners[i].key} }
	c := admit(ctx, len(owners), joining, at)
	defer c.disperse()
	if err := c.all(); err != nil {
		return err
	}
	while := max(time.Duration(l.most)*2500*time.Microsecond, 2*time.Second) // 25 s for 10,000
	without, err := l.feel(c, "without the noise", gateway, while/2, quiet, at)
	if err != nil {
		return err
	}
	feeds := 5 * l.most
	n := &noise{refusals: newCrowd(ctx, 0)}
	n.refusals.tolerant = true
	var making sync.WaitGroup
	making.Go(func() { n.make(gateway, loud, feeds, while) })
	within, err := l.feel(c, "beside it", gateway, while, quiet, at)
	n.refusals.disperse()
	making.Wait()
	if err != nil {
		return err
	}
	l.say("%d environments follow a feed each; one row of one of them changes at a time, 5 to 30 ms after the one before was heard, and a client reads its feed from the beginning. "+
		"Meanwhile one other environment asks for %d different feeds in %.0f s, whatever it is told, and follows those that it gets. Milliseconds.\n\n", len(owners), feeds, while.Seconds())
	rows := [][]string{{"", "commits", "median", "p99", "reading from the beginning, median", "p99", "refused", "gateway's CPU, cores"}}
	for _, q := range []quietly{without, within} {
		rows = append(rows, []string{q.name, fmt.Sprint(len(q.delays)), ms(median(q.delays)), ms(quantile(q.delays, 0.99)), ms(median(q.joins)), ms(quantile(q.joins, 0.99)),
			fmt.Sprint(q.refused), fmt.Sprintf("%.2f", q.server)})
	}
	l.say("%s\nThe noise: %d feeds asked for, %d let in and followed; refused: %s.\n\n", table(rows), n.asked.Load(), n.followed.Load(), statuses(n.refusals.refused()))
	l.hold(
		bound{what: "quiet ones who were refused", got: float64(without.refused + within.refused), limit: 0},
		bound{what: "median of a commit to a quiet one, beside the noise over without it", got: float64(median(within.delays)) / float64(median(without.delays)), limit: 1.5, timed: true},
	)
	return nil
}

// feel has the quiet ones go on for a while.
func (l *lab) feel(c *crowd, name string, gateway *child, while time.Duration, quiet []run, at func(int) target) (q quietly, err error) {
	q.name = name
	random := rand.New(rand.NewPCG(1, 2))
	cpu, began := cpuTime(gateway.pid), time.Now()
	refused := total(c.refused())
	for time.Since(began) < while {
		select {
		case <-time.After(5*time.Millisecond + time.Duration(random.Int64N(int64(25*time.Millisecond)))):
		case <-c.ctx.Done():
			return q, context.Cause(c.ctx)
		}
		i := random.IntN(len(quiet))
		number, commit := l.update(quiet[i].table, quiet[i].id)
		heard, err := c.hear(1, number, commit)
		if err != nil {
			return q, err
		}
		q.delays = append(q.delays, heard...)
		newcomer := newClient(at(i))
		joins := time.Now()
		_, err = newcomer.catchUp(c.ctx)
		newcomer.close()
		if err != nil {
			return q, fmt.Errorf("a quiet environment's client: %w", err)
		}
		q.joins = append(q.joins, time.Since(joins))
	}
	q.server = float64(cpuTime(gateway.pid)-cpu) / float64(time.Since(began))
	q.refused = total(c.refused()) - refused
	return q, nil
}

// make asks for one feed after another, evenly over a while.
func (n *noise) make(gateway *child, who environment, feeds int, while time.Duration) {
	const workers = 100
	numbers := make(chan int)
	var working sync.WaitGroup
	defer working.Wait()
	defer close(numbers)
	for range workers {
		working.Go(func() {
			var c *client
			for number := range numbers {
				t := target{gateway.addr, fmt.Sprintf("/realtime/v1/runs?tags=noise-%d&", number), who.key}
				if c == nil {
					c = n.refusals.client(t, number)
				}
				c.target = t
				c.restart()
				n.asked.Add(1)
				_, err := c.catchUp(n.refusals.ctx)
				if err == nil {
					n.followed.Add(1)
					follower := c
					n.refusals.done.Go(func() { n.refusals.follow(follower, number) })
					c = nil
				} else {
					n.refusals.count(err)
				}
			}
			if c != nil {
				c.close()
			}
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for number := 0; number < feeds; {
		due := min(feeds, int(float64(feeds)*float64(time.Since(began))/float64(while)))
		for ; number < due; number++ {
			numbers <- number
		}
		select {
		case <-tick.C:
		case <-n.refusals.ctx.Done():
			return
		}
	}
}
