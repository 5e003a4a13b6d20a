package faults

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

const (
	plain = 167 // clients in this process
	onBig = 3   // of them on the feed that is streamed
)

// cast is who takes part.
type cast struct {
	*scene
	readers   []*reader
	npm       []*process
	following sync.WaitGroup
}

// TestAFailingUpstreamIsInvisible is the whole suite: clients that live through every fault.
func TestAFailingUpstreamIsInvisible(t *testing.T) {
	chosen, err := regexp.Compile(os.Getenv("FAULTS"))
	if err != nil {
		t.Fatalf("FAULTS: %v", err)
	}
	began := time.Now()
	s := newScene(newWorld(t))
	c := &cast{scene: s}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		c.following.Wait()
	})
	feeds := s.feeds()
	for i := range plain {
		f := feeds[i%len(feeds)]
		if i < onBig {
			f = s.big
		}
		c.readers = append(c.readers, c.join(ctx, f, habits{streams: i%4 == 3, heeds: i%3 == 0}))
	}
	c.npm = s.npmClients()
	if n, m := len(feeds)+1, len(c.readers)+subscriptions(c.npm); n != 20 || m != 200 {
		t.Fatalf("%d clients on %d feeds", m, n)
	}
	s.stamp(runid.Legacy)
	s.stamp(runid.V2)
	c.allEqual("at the start", c.readers)
	t.Logf("all have begun after %v", time.Since(began).Round(time.Millisecond))
	for _, o := range outages(os.Getenv("FAULTS_LONG") != "") {
		if t.Failed() {
			return // whoever is dead stays dead, and would be named again for each
		}
		if chosen.MatchString(o.String()) {
			c.live(o)
		}
	}
	refused, cut := 0, 0
	for _, r := range c.readers {
		refused, cut = refused+r.refused, cut+r.cut
	}
	for _, p := range c.npm {
		refused += p.refused
	}
	t.Logf("%d answers of 503; %d connections ended before an answer", refused, cut)
	if cut > plain/100 { // a machine that is busy enough may not read a new connection in time
		t.Errorf("%d connections of the gateway ended before an answer", cut)
	}
}

func subscriptions(all []*process) (n int) {
	for _, p := range all {
		n += len(p.feeds)
	}
	return n
}

// join has one more client follow a feed.
func (c *cast) join(ctx context.Context, f *feed, h habits) *reader {
	r := newReader(f, h)
	c.following.Go(func() { r.follow(ctx, c.url, c.demo.APIKey) })
	return r
}

// live has everybody live through an outage.
func (c *cast) live(o outage) {
	c.t.Helper()
	retries := c.steady.Stats().Retries
	c.turnover()
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	writing, done := context.WithCancel(ctx)
	wrote := make(chan error, 1)
	go func() { wrote <- c.write(writing) }()

	var sides []*side
	for _, table := range o.sides {
		sides = append(sides, c.sides[table])
	}
	began := time.Now()
	end := o.begin(c.world, sides)
	newcomers := []*reader{
		c.join(ctx, c.big, habits{}), c.join(ctx, c.byTag[0], habits{heeds: true}), c.join(ctx, c.byPair[0], habits{}), c.join(ctx, c.byBatch[0], habits{streams: true}),
		c.join(ctx, c.byRun[runid.Legacy][0], habits{}), c.join(ctx, c.byRun[runid.V2][0], habits{}),
	}
	withheld, late := make(map[runid.Table]int), time.Duration(0)
	for _, table := range o.sides {
		withheld[table] = c.stamp(table)
	}
	if o.streams {
		c.everybody(fmt.Sprintf("%v: a snapshot begins", o), newcomers[:1], nil, func(r *reader) bool { return r.heads > 0 }, nil)
	}
	for left := o.lasts; left > 0; left = o.lasts - time.Since(began) { // an outage is a matter of time
		late = max(late, c.healthy(o))
		<-time.After(min(o.lasts-time.Since(began), time.Second))
	}
	if o.silent {
		c.withheld(o, slices.Concat(c.readers, newcomers), withheld)
	}
	if newcomers[0].isTold() {
		c.t.Errorf("%v: a newcomer to %s is up to date meanwhile", o, c.big.name)
	}
	ended := time.Now()
	end()
	done()
	if err := <-wrote; err != nil {
		c.t.Fatal(err)
	}
	most := c.frugal(o, began, ended)
	c.stamp(runid.Legacy)
	c.stamp(runid.V2)
	c.allEqual(fmt.Sprintf("after %v", o), slices.Concat(c.readers, newcomers))
	c.t.Logf("%v: all equal %v after it; the healthy side's rows took %v; at most %d requests in vain for a shape; %d calls were made again",
		o, time.Since(ended).Round(time.Millisecond), late.Round(time.Millisecond), most, c.steady.Stats().Retries-retries)
}

// healthy writes on the sides that are well, and says how long it takes until all have it.
func (c *cast) healthy(o outage) time.Duration {
	c.t.Helper()
	written := time.Now()
	for _, table := range runid.Tables() {
		if !slices.Contains(o.sides, table) {
			c.arrives(fmt.Sprintf("%v: what the healthy side wrote meanwhile", o), table, c.stamp(table))
		}
	}
	return time.Since(written)
}

// atOnce is how late a row of a healthy side may be: a second or so, and busy machines more.
const atOnce = 20 * time.Second

// arrives waits until everybody has a number, or a greater one, in all runs of a table.
func (c *cast) arrives(what string, table runid.Table, n int) {
	c.t.Helper()
	want := make(map[*feed]map[string]row)
	for _, f := range c.feeds() {
		want[f] = c.truthOf(f, table)
	}
	written := time.Now()
	c.everybody(what, c.readers, c.npm, func(r *reader) bool {
		for key := range want[r.feed] {
			if r.rows[key].number() < n {
				return false
			}
		}
		return true
	}, func(p *process, f *feed) bool {
		for key, r := range want[f] {
			if markOf(p.held[f.name][p.key(key, r)]) < n {
				return false
			}
		}
		return true
	})
	if took := time.Since(written); took > atOnce {
		c.t.Errorf("%s: it took %v", what, took)
	}
}

// withheld sees that an outage was one: nobody has what was written on a side that fails.
func (c *cast) withheld(o outage, readers []*reader, numbers map[runid.Table]int) {
	c.t.Helper()
	for _, r := range readers {
		r.mu.Lock()
		for key, held := range r.rows {
			for table, n := range numbers {
				if strings.HasPrefix(key, prefix(table)) && held.number() >= n {
					c.t.Errorf("%v: %v has number %d of %s meanwhile, of a side that fails", o, r, held.number(), key)
				}
			}
		}
		r.mu.Unlock()
	}
}

// frugal sees how often the upstream was asked in vain for a shape of a side that fails, and
// that it was left alone for as long as it asked to be. What it answers meanwhile, as far as
// it does, is asked for as ever.
func (c *cast) frugal(o outage, began, ended time.Time) (most int) {
	c.t.Helper()
	for shape, all := range c.ledger.inVain(o.sides, began, ended) {
		most = max(most, len(all))
		if n, within := tooMany(all); n > 0 {
			c.t.Errorf("%v: %d requests in vain within %v for %v", o, n, within, shape)
		}
		for _, a := range all {
			if o.rest > 0 && !a.left && a.rest < o.rest-onItsWay {
				c.t.Errorf("%v: a request %v after the one before, which was answered with Retry-After: %v, for %v", o, a.rest, o.rest, shape)
			}
		}
	}
	return most
}

// allEqual waits until everybody holds what SELECT says.
func (c *cast) allEqual(when string, readers []*reader) {
	c.t.Helper()
	truth := map[*feed]map[string]row{c.big: c.truth(c.big)}
	for _, f := range c.feeds() {
		truth[f] = c.truth(f)
	}
	c.everybody(when+": to be equal to SELECT", readers, c.npm, func(r *reader) bool {
		return r.told && r.differs(truth[r.feed]) == ""
	}, func(p *process, f *feed) bool { return p.differs(f, truth[f]) == "" })
	if !c.t.Failed() {
		return
	}
	named := 0
	for _, r := range readers {
		r.mu.Lock()
		if d := r.differs(truth[r.feed]); d != "" && named < 3 {
			named++
			c.t.Errorf("%s, %v: %s", when, r, d)
		}
		r.mu.Unlock()
	}
	for _, p := range c.npm {
		p.mu.Lock()
		for _, f := range p.feeds {
			if d := p.differs(f, truth[f]); d != "" {
				c.t.Errorf("%s, %s: %s", when, p.name, d)
			}
		}
		p.mu.Unlock()
	}
}

// differs says how what is held differs from the truth, or "". It is asked under the lock.
func (r *reader) differs(truth map[string]row) string {
	if len(r.rows) != len(truth) {
		return fmt.Sprintf("it has %d rows, not %d", len(r.rows), len(truth))
	}
	for key, want := range truth {
		got := maps.Clone(want)
		for column := range got {
			got[column] = r.rows[key][column]
		}
		if !maps.Equal(want, got) {
			return key + ": " + cmp.Diff(want, got)
		}
	}
	return ""
}

// everybody waits until all are so, and names those that are not.
func (c *cast) everybody(what string, readers []*reader, npm []*process, ok func(*reader) bool, shows func(*process, *feed) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeoutCause(c.t.Context(), patience, fmt.Errorf("not in %v", patience))
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	var wrong []string
	name := func(who string, err error) {
		mu.Lock()
		defer mu.Unlock()
		wrong = append(wrong, who+": "+err.Error())
	}
	for _, r := range readers {
		all.Go(func() {
			if err := r.await(ctx, func() bool { return ok(r) }); err != nil {
				name(r.String(), err)
			}
		})
	}
	for _, p := range npm {
		all.Go(func() {
			for _, f := range p.feeds {
				if err := p.await(ctx, func() bool { return shows(p, f) }); err != nil {
					name(p.name+" on "+f.name, err)
					return
				}
			}
		})
	}
	all.Wait()
	for i, text := range wrong {
		if i == 5 {
			text = fmt.Sprintf("and %d more", len(wrong)-i)
		}
		if i <= 5 {
			c.t.Errorf("%s: %.1000s", what, text)
		}
	}
}
