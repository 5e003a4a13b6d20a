package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// The order of subscribers that listen to the same commits.
const (
	directly = iota
	throughGateway
)

// latencies are the blocks of each kind, one of each in every round.
type latencies struct{ together, directAlone, gatewayAlone [][]sample }

// latency measures how long after a commit its row is at a subscriber.
func (p plan) latency(ctx context.Context, st *stack, out io.Writer) error {
	c := &commits{pool: st.pool, runs: st.changed, rand: rand.New(rand.NewPCG(1, 2))}
	gateway := st.viaGateway(liveTag)
	defer gateway.close()
	if _, err := gateway.catchUp(ctx, io.Discard); err != nil {
		return err
	}
	direct, err := st.direct(liveTag, gateway.schema)
	if err != nil {
		return err
	}
	defer direct[0].close()
	defer direct[1].close()

	var l latencies
	kinds := []struct {
		blocks      *[][]sample
		subscribers []subscriber
	}{
		{&l.together, []subscriber{direct[:], {gateway}}},
		{&l.directAlone, []subscriber{direct[:]}},
		{&l.gatewayAlone, []subscriber{{gateway}}},
	}
	for round := range p.blocks {
		for i := range kinds {
			k := kinds[(round+i)%len(kinds)]
			block, err := c.block(ctx, p.commits/2*2, k.subscribers...)
			if err != nil {
				return err
			}
			*k.blocks = append(*k.blocks, block)
		}
	}
	l.report(out)
	return nil
}

// delays are one figure of all samples of some blocks.
func delays(blocks [][]sample, figure func(sample) time.Duration) (all []time.Duration) {
	for _, b := range blocks {
		all = append(all, pluck(b, figure)...)
	}
	return all
}

// moments are the ends of what is measured; spans also have a beginning.
var moments = []struct {
	name string
	of   func(heard) time.Time
}{
	{"first byte", func(h heard) time.Time { return h.first }},
	{"whole body", func(h heard) time.Time { return h.whole }},
}

var beginnings = []struct {
	name string
	of   func(sample) time.Time
}{
	{"COMMIT sent", func(s sample) time.Time { return s.sent }},
	{"COMMIT returned", func(s sample) time.Time { return s.done }},
}

func (l *latencies) report(out io.Writer) {
	fmt.Fprintf(out, "## Added latency\n\nOne subscriber of a tag feed over both tables, HTTP long poll on a kept connection; commits of one row, "+
		"5 to 30 ms apart, in the two tables in turn; %d rounds. Direct: a client with a poll for each of the two shapes. "+
		"Both at once, the upstream wakes the client's poll and the gateway's together, and they compete for the same cores: "+
		"it is each alone that tells what a subscriber feels. Milliseconds.\n\n", len(l.together))
	rows := [][]string{{"subscribed", "from", "to", "direct median", "direct p99", "gateway median", "gateway p99", "ratio of medians", "commits"}}
	for _, kind := range []struct {
		name            string
		direct, gateway [][]sample
		at              int // the gateway's place among the subscribers
	}{
		{"both at once", l.together, l.together, throughGateway},
		{"each alone", l.directAlone, l.gatewayAlone, 0},
	} {
		for _, begin := range beginnings {
			for _, end := range moments {
				direct := delays(kind.direct, func(s sample) time.Duration { return end.of(s.heard[directly]).Sub(begin.of(s)) })
				gateway := delays(kind.gateway, func(s sample) time.Duration { return end.of(s.heard[kind.at]).Sub(begin.of(s)) })
				rows = append(rows, []string{kind.name, begin.name, end.name, ms(median(direct)), ms(quantile(direct, 0.99)),
					ms(median(gateway)), ms(quantile(gateway, 0.99)),
					fmt.Sprintf("%.2f", float64(median(gateway))/float64(median(direct))), fmt.Sprint(len(direct))})
			}
		}
	}
	fmt.Fprintln(out, table(rows))

	rows = [][]string{{"added by the gateway", "to", "median", "p99", "median of each round, least to most"}}
	for _, end := range moments {
		added := func(s sample) time.Duration { return end.of(s.heard[throughGateway]).Sub(end.of(s.heard[directly])) }
		all := delays(l.together, added)
		rounds := pluck(l.together, func(b []sample) time.Duration { return median(pluck(b, added)) })
		rows = append(rows, []string{"both at once, difference for the same commit", end.name, ms(median(all)), ms(quantile(all, 0.99)),
			ms(quantile(rounds, 0)) + " to " + ms(quantile(rounds, 1))})
	}
	for _, end := range moments {
		delay := func(s sample) time.Duration { return end.of(s.heard[0]).Sub(s.sent) }
		direct, gateway := delays(l.directAlone, delay), delays(l.gatewayAlone, delay)
		rounds := make([]time.Duration, len(l.directAlone))
		for i := range rounds {
			rounds[i] = median(pluck(l.gatewayAlone[i], delay)) - median(pluck(l.directAlone[i], delay))
		}
		rows = append(rows, []string{"each alone, difference of the medians and of the p99s", end.name, ms(median(gateway) - median(direct)),
			ms(quantile(gateway, 0.99) - quantile(direct, 0.99)), ms(quantile(rounds, 0)) + " to " + ms(quantile(rounds, 1))})
	}
	fmt.Fprintln(out, table(rows))
}
