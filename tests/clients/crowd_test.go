package clients

import (
	"fmt"
	"slices"
	"sync"
	"testing"
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
