package browser

import (
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// reload makes a tab's page anew, and returns how many requests there were before.
func (s *scene) reload(t *tab) (mark int) {
	s.world.t.Helper()
	mark = t.mark()
	s.world.bell.change(t.forget)
	s.do("reload", t.name, nil)
	s.settle(t)
	return mark
}

// reload: a page that is loaded again is a new client. It starts from the
// beginning, and goes on.
func reload(t *testing.T) {
	s := newScene(t)
	both(func(table runid.Table) { s.step(func() { s.complete(s.db, s.insert(s.db, table)) }) })
	mark := s.reload(s.front)
	s.toTheEnd()
	s.front.calm(mark, 1)
	s.world.bell.Lock()
	defer s.world.bell.Unlock()
	for _, feed := range s.spec.feeds() {
		if first := s.front.of(feed, mark)[0]; first.handle != "" || first.expired != "" {
			t.Errorf("the first request of a page that was loaded again is %+v", *first)
		}
	}
}
