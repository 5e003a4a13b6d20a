package clients

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/realtime-gw/realtime-gw/tests/relay"
)

const refused = "ECONNREFUSED"

// killGateway ends a gateway at which the clients wait for news in every feed,
// and makes sure of that: the polls broke off, they were not refused.
func (c *crowd) killGateway(gateway *child) {
	c.t.Helper()
	c.polling()
	c.forget()
	gateway.kill(c.t)
	c.see(c.feeds, "a poll that broke off", func(_ client, v *view) bool { return len(v.cut) > 0 && v.cut[0] != refused })
}

// goesOn sees that the clients missed nothing, go on, and were never told to
// start over.
func (c *crowd) goesOn() {
	c.t.Helper()
	c.settle(c.feeds...)
	c.step(c.change)
	c.calm(c.feeds...)
	c.check(c.feeds, "no start after the gateway was gone", func(_ client, v *view) bool { return v.starts == 0 })
}

// restart: the gateway is killed, rows are written, clients are refused, and it
// comes back on its address with its cursor key.
func restart(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	c.follow(w, w.url())
	c.killGateway(w.gateway)
	c.change()
	c.see(c.feeds, "a try that was refused", func(_ client, v *view) bool { return slices.Contains(v.cut, refused) })
	w.startGateway(w.address)
	c.goesOn()
}

// takeover: another instance is started on the address as soon as the first is
// gone, while rows are written.
func takeover(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	c.follow(w, w.url())
	c.forget()
	w.gateway.kill(t)
	w.launchGateway(w.address)
	c.change()
	c.goesOn()
}

// failover: two instances behind one proxy. The one that answered so far is
// killed, and the other, which has never heard of these clients, goes on.
func failover(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	second := freeAddress(t)
	w.startGateway(second)
	var backend atomic.Pointer[string]
	backend.Store(&w.address)
	front := relay.New(t, func() string { return *backend.Load() })
	c.follow(w, front.URL())
	c.killGateway(w.gateway)
	backend.Store(&second)
	c.change()
	c.goesOn()
}

// resume: an application keeps its rows and its place, ends, and goes on with
// them later, at a gateway that was restarted meanwhile.
func resume(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	c.follow(w, w.url())
	c.step(c.change)
	c.polling()
	c.keep()
	w.gateway.kill(t)
	c.change()
	w.startGateway(w.address)
	c.start(w.url(), c.feeds...)
	c.goesOn()
}

// keep has the applications keep what they need to go on, and ends them.
func (c *crowd) keep() {
	c.t.Helper()
	c.each(func(m *member) error {
		for _, f := range c.feeds {
			if err := m.tell(map[string]any{"do": "keep", "feed": f.ID}); err != nil {
				return err
			}
			if err := m.see(f.ID, "what is kept", func(v *view) bool { return v.kept != nil }); err != nil {
				return err
			}
		}
		m.kill(c.t)
		return nil
	})
}
