package clients

import (
	"slices"
	"testing"
)

const refused = "ECONNREFUSED"

// killGateway ends a gateway at which the client waits for news in every feed,
// and makes sure of that: the polls broke off, they were not refused.
func (s *subject) killGateway(c *child) {
	s.world.t.Helper()
	s.polling()
	c.kill(s.world.t)
	for _, f := range s.feeds {
		s.see(f.ID, "a poll that broke off", func(v *view) bool { return len(v.cut) > 0 && v.cut[0] != refused })
	}
}

// goesOn sees that the client missed nothing, goes on, and was never told to
// start over.
func (s *subject) goesOn() {
	s.world.t.Helper()
	s.settle(s.feeds...)
	s.step(s.change)
	s.calm(s.feeds...)
	for _, f := range s.feeds {
		s.see(f.ID, "one start", func(v *view) bool { return v.starts <= 1 })
	}
}

// restart: the gateway is killed, rows are written, clients are refused, and it
// comes back on its address with its cursor key.
func restart(t *testing.T, c client) {
	w := newWorld(t, 0)
	s := follow(t, c, w, w.url())
	s.killGateway(w.gateway)
	s.change()
	for _, f := range s.feeds {
		s.see(f.ID, "a try that was refused", func(v *view) bool { return slices.Contains(v.cut, refused) })
	}
	w.startGateway(w.address)
	s.goesOn()
}

// takeover: another instance is started on the address as soon as the first is
// gone, while rows are written.
func takeover(t *testing.T, c client) {
	w := newWorld(t, 0)
	s := follow(t, c, w, w.url())
	w.gateway.kill(t)
	w.launchGateway(w.address)
	s.change()
	s.goesOn()
}

// failover: two instances behind one proxy. The one that answered so far is
// killed, and the other, which has never heard of these clients, goes on.
func failover(t *testing.T, c client) {
	w := newWorld(t, 0)
	second := freeAddress(t)
	w.startGateway(second)
	front := newProxy(t, w.address)
	s := follow(t, c, w, front.url())
	s.killGateway(w.gateway)
	front.to(second)
	s.change()
	s.goesOn()
}

// resume: an application keeps its rows, handle and offset, ends, and goes on
// with them later, at a gateway that was restarted meanwhile.
func resume(t *testing.T, c client) {
	w := newWorld(t, 0)
	s := follow(t, c, w, w.url())
	s.step(s.change)
	s.polling()
	s.kill(t)
	w.gateway.kill(t)
	s.change()
	w.startGateway(w.address)
	for i := range s.feeds {
		stored := s.driver.feeds[s.feeds[i].ID].place
		s.feeds[i].From = &stored
	}
	s.driver = drive(t, c, w.url(), s.feeds...)
	s.goesOn()
	for _, f := range s.feeds {
		s.see(f.ID, "no start", func(v *view) bool { return v.starts == 0 })
	}
}
