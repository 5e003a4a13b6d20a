package clients

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// crowd is all clients of a scenario, which follow the feeds of one world at the
// same time. What is written is written once, and each of them must follow. One
// that does not is named as a failure and leaves; the others go on.
type crowd struct {
	*world
	t        *testing.T
	members  []*member // those that are left
	feeds    []subscription
	finished bool // the scenario came to its end
	// runs are two that have a feed of their own, one a table, and bystanders
	// two that have not; all are in the tag and the batch.
	runs, bystanders []run
}

// member is a client at work.
type member struct {
	client
	*driver
	lost bool
}

// newCrowd names those who come through a scenario. When the test is over they
// are entered in the table.
func newCrowd(t *testing.T, scenario string, results *table) *crowd {
	t.Helper()
	c := &crowd{t: t}
	for _, client := range results.clients {
		if _, cannot := client.cannot[scenario]; cannot {
			results.set(scenario, client, "-")
			continue
		}
		c.members = append(c.members, &member{client: client})
	}
	all := slices.Clone(c.members)
	t.Cleanup(func() { // last: all processes have ended by now
		for _, m := range all {
			if m.driver != nil && !m.lost && m.failure() != "" {
				m.leave(t, fmt.Errorf("at the end: %s", m.failure()))
			}
		}
		// A failure that is nobody's is everybody's.
		blamed := slices.ContainsFunc(all, func(m *member) bool { return m.lost })
		for _, m := range all {
			ok := c.finished && !m.lost && (blamed || !t.Failed())
			results.set(scenario, m.client, map[bool]string{true: "ok", false: "FAILED"}[ok])
		}
	})
	return c
}

// leave fails the test because of one client, and ends that.
func (m *member) leave(t *testing.T, err error) {
	t.Errorf("%v: %v", m.client, err)
	m.lost = true
	m.kill(t)
}

// each does something with every client, side by side; those with an error leave.
// The test is over when nobody is left.
func (c *crowd) each(do func(m *member) error) {
	c.t.Helper()
	var running sync.WaitGroup
	for _, m := range c.members {
		running.Go(func() {
			if err := do(m); err != nil {
				m.leave(c.t, err)
			}
		})
	}
	running.Wait()
	c.dismiss()
}

// dismiss lets go of those that are lost.
func (c *crowd) dismiss() {
	c.t.Helper()
	c.members = slices.DeleteFunc(c.members, func(m *member) bool { return m.lost })
	if len(c.members) == 0 {
		c.t.Fatal("no client is left")
	}
}

// start has every client follow feeds at a URL: those of them that it can, and
// from where it was, if it kept that. They start one after the other: a program
// that is read in by Node keeps a processor busy for up to two seconds.
func (c *crowd) start(url string, feeds ...subscription) {
	c.t.Helper()
	c.feeds = feeds
	for _, m := range c.members {
		var mine []subscription
		for _, f := range feeds {
			if m.driver != nil {
				f.From = m.feeds[f.ID].kept
			}
			if m.follows(f) {
				mine = append(mine, f)
			}
		}
		m.driver = drive(c.t, m.client, url, mine)
		if err := m.see(mine[0].ID, "a request", func(v *view) bool { return v.requests > 0 }); err != nil {
			m.leave(c.t, err)
		}
	}
	c.dismiss()
}

// follow fills a world, and has the clients follow it at a URL until they wait for
// news in every feed.
func (c *crowd) follow(w *world, url string) {
	c.t.Helper()
	c.world = w
	both(func(table runid.Table) {
		c.runs = append(c.runs, w.insert(w.db, table, nil))
		c.bystanders = append(c.bystanders, w.insert(w.db, table, nil))
	})
	c.start(url, w.feeds(c.runs...)...)
	c.settle(c.feeds...)
	c.polling()
}

// polling waits until every client waits for news in every feed that has not
// ended.
func (c *crowd) polling() {
	c.t.Helper()
	c.see(c.feeds, "a held poll", func(_ client, v *view) bool { return v.waiting || v.over || len(v.ended) > 0 })
}

// see waits until the feeds are seen so by every client that follows them.
func (c *crowd) see(feeds []subscription, what string, ok func(client, *view) bool) {
	c.t.Helper()
	c.each(func(m *member) error {
		for _, f := range feeds {
			if !m.follows(f) {
				continue
			}
			if err := m.see(f.ID, what, func(v *view) bool { return ok(m.client, v) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// calm makes sure that no feed was started over and no application was given an
// error.
func (c *crowd) calm(feeds ...subscription) {
	c.t.Helper()
	c.check(feeds, "no restart and no error", func(_ client, v *view) bool { return v.calm() })
}

// check is see that does not wait.
func (c *crowd) check(feeds []subscription, what string, ok func(client, *view) bool) {
	c.t.Helper()
	c.each(func(m *member) error {
		for _, f := range feeds {
			if !m.follows(f) {
				continue
			}
			if err := m.look(f.ID, what, func(v *view) bool { return ok(m.client, v) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle waits until every client holds what the database has now. The SDK takes
// no notice of deletes: of a run that is gone or left the feed it keeps the last
// state it was given. So it may hold other runs too, if they were in the feed
// when this was called before, or were deleted.
func (c *crowd) settle(feeds ...subscription) {
	c.t.Helper()
	c.settleThose(func(client) bool { return true }, feeds...)
}

func (c *crowd) settleThose(who func(client) bool, feeds ...subscription) {
	c.t.Helper()
	wanted := make(map[string]map[string]row)
	for _, f := range feeds {
		wanted[f.ID] = c.wanted(f)
	}
	c.each(func(m *member) error {
		for _, f := range feeds {
			if !who(m.client) || !m.follows(f) {
				continue
			}
			if err := m.settle(c.world, f, wanted[f.ID]); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle waits until the client holds rows of a feed.
func (m *member) settle(w *world, f subscription, rows map[string]row) error {
	want, err := m.gives(rows)
	if err != nil {
		return err
	}
	// What the client should not hold and may.
	excused := func(id string) bool { return m.form == runs && (w.former[f.ID][id] || w.deleted[id]) }
	v := m.feeds[f.ID]
	return m.await("the rows of the "+f.Kind+" "+f.ID,
		func() bool { return v.held != nil && same(want, v.held, excused) },
		func() string { return fmt.Sprintf("%v\n%s", v, differences(want, v.held, excused)) })
}

// forget has starts counted anew.
func (c *crowd) forget() {
	c.t.Helper()
	c.check(c.feeds, "", func(_ client, v *view) bool {
		v.starts = 0
		return true
	})
}

// step writes while the clients wait for news, and sees them follow.
func (c *crowd) step(write func()) {
	c.t.Helper()
	c.polling()
	write()
	c.settle(c.feeds...)
}

// change writes something of each kind to each table, in statements of their
// own and in one transaction.
func (c *crowd) change() {
	c.t.Helper()
	for i, r := range slices.Concat(c.runs, c.bystanders) {
		c.update(c.db, r, `status = 'EXECUTING', "startedAt" = now(), "usageDurationMs" = "usageDurationMs" + $2`, i+1)
	}
	both(func(table runid.Table) {
		c.insert(c.db, table, nil)
		gone := c.insert(c.db, table, nil)
		c.delete(c.db, gone)
	})
	c.transaction(func(tx pgx.Tx) {
		both(func(table runid.Table) { c.insert(tx, table, nil) })
	})
}
