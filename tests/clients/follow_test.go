package clients

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

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
