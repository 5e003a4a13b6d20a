package browser

import (
	"slices"
	"testing"
)

const refused = "net::ERR_CONNECTION_REFUSED"

// killGateway ends the gateway as kill -9 does.
func (s *scene) killGateway() {
	s.world.t.Helper()
	s.world.bell.Lock()
	s.outage = true
	for _, t := range s.tabs {
		for _, r := range t.asked {
			r.outage = r.outage || !r.answered()
		}
	}
	s.world.bell.Unlock()
	s.gateway.kill(s.world.t)
}

// refusals waits until the page has asked in vain, in every feed.
func (s *scene) refusals(t *tab, mark int) {
	s.world.t.Helper()
	for _, feed := range t.spec.feeds() {
		t.await("a request of "+feed+" that was refused", func() bool {
			return slices.ContainsFunc(t.of(feed, mark), func(r *request) bool { return r.failed == refused })
		}, t.String)
	}
}

// recovered sees the page go on with a gateway that was started again.
func (s *scene) recovered() {
	s.world.t.Helper()
	s.settle(s.front)
	s.polling(s.front)
	s.world.bell.Lock()
	s.outage = false
	s.world.bell.Unlock()
}

// restart: the gateway is killed under a page that looks at it, runs go on, the
// page is refused, and the gateway comes back on its address with its cursor key.
func restart(t *testing.T) {
	s := newScene(t)
	mark := s.front.mark()
	s.killGateway()
	s.writeBoth()
	s.refusals(s.front, mark)
	s.startGateway()
	s.recovered()
	s.toTheEnd()
	s.front.calm(0, 1)
}

// restartHidden: the gateway is killed and comes back while the page is hidden;
// and another time it is still away when the page is shown again.
func restartHidden(t *testing.T) {
	s := newScene(t)
	p := s.hide(s.front)
	s.killGateway()
	s.writeBoth()
	s.startGateway()
	s.unhide(s.front, p)
	s.recovered()

	p = s.hide(s.front)
	s.killGateway()
	s.writeBoth()
	s.unhide(s.front, p)
	s.refusals(s.front, p.mark)
	s.startGateway()
	s.recovered()
	s.toTheEnd()
	s.front.calm(0, 1)
}
