package browser

import (
	"slices"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// aborted is Chromium's word for a request that its page gave up, and
// statusClientGone what the gateway's log has for it.
const (
	aborted          = "net::ERR_ABORTED"
	statusClientGone = 499
)

// pause is a tab that asks for nothing: the polls that it gave up, by feed, and
// how many requests it had made.
type pause struct {
	polls map[string]*request
	mark  int
}

// hide puts another tab in front of a tab. The page gives its polls up, and the
// gateway notices.
func (s *scene) hide(t *tab) pause {
	s.world.t.Helper()
	s.world.bell.Lock()
	before := s.statuses[statusClientGone]
	s.world.bell.Unlock()
	s.do("show", nothing, nil)
	last := func(feed string) *request { return t.of(feed, 0)[len(t.of(feed, 0))-1] }
	t.await("a hidden page without a request", func() bool {
		return t.hidden && !slices.ContainsFunc(s.spec.feeds(), func(feed string) bool { return !last(feed).answered() })
	}, t.String)
	s.world.bell.Lock()
	p := pause{polls: make(map[string]*request), mark: len(t.requests)}
	reached := before
	for _, feed := range s.spec.feeds() {
		if r := last(feed); r.failed == aborted {
			p.polls[feed] = r
			if r.sent {
				reached++
			}
		}
	}
	s.world.bell.Unlock()
	t.await("polls that the gateway knows are gone", func() bool { return s.statuses[statusClientGone] >= reached }, t.String)
	return p
}

// unhide brings a tab to the front again that was silent while it was hidden.
func (s *scene) unhide(t *tab, p pause) {
	s.world.t.Helper()
	if n := t.mark(); n != p.mark {
		s.world.t.Errorf("the page made %d requests while it was hidden\n%v", n-p.mark, t)
	}
	s.do("show", t.name, nil)
	t.await("a page that is not hidden", func() bool { return !t.hidden }, t.String)
	s.resumed(t, p)
}

// resumed sees that in every feed the page asks first, and without waiting, for
// what came after the place that it was at.
func (s *scene) resumed(t *tab, p pause) {
	s.world.t.Helper()
	for feed, poll := range p.polls {
		t.await("a request of "+feed, func() bool { return len(t.of(feed, p.mark)) > 0 }, t.String)
		s.world.bell.Lock()
		if r := t.of(feed, p.mark)[0]; r.live || r.offset != poll.offset || r.handle != poll.handle || r.cursor != poll.cursor {
			s.world.t.Errorf("the first request of %s after the pause is %+v, want the place of %+v", feed, *r, *poll)
		}
		s.world.bell.Unlock()
	}
}

// writeBoth completes a new run of each table, and makes another.
func (s *scene) writeBoth() {
	s.world.t.Helper()
	both(func(table runid.Table) { s.complete(s.db, s.insert(s.db, table)) })
	both(func(table runid.Table) { s.insert(s.db, table) })
}

// hidden: another tab is put in front of the page. It lets its polls go and is
// silent; runs come and go on in both tables; brought to the front again it shows
// them all, from where it was. Also when nothing was written, when it is hidden
// for a moment only, and when the runs that it follows alone are over.
func hidden(t *testing.T) {
	s := newScene(t)
	s.unhide(s.front, s.hide(s.front))
	s.settle(s.front)

	s.polling(s.front)
	p := s.hide(s.front)
	s.writeBoth()
	s.unhide(s.front, p)
	s.settle(s.front)

	s.polling(s.front)
	s.do("show", nothing, nil)
	s.do("show", s.front.name, nil)
	s.toTheEnd()

	s.polling(s.front)
	p = s.hide(s.front)
	for _, id := range s.spec.Runs {
		if p.polls[id] != nil {
			t.Errorf("%s is over, and was still asked for", id)
		}
	}
	s.writeBoth()
	s.unhide(s.front, p)
	s.settle(s.front)
	s.front.calm(0, 1)
}

// left: the page is left for another one, and the back button brings it back.
// Chromium keeps such a page as it was; it goes on from where it was.
func left(t *testing.T) {
	s := newScene(t)
	p := pause{polls: make(map[string]*request)}
	s.world.bell.Lock()
	before := s.statuses[statusClientGone]
	s.world.bell.Unlock()
	s.do("leave", s.front.name, nil)
	s.front.await("polls that the gateway knows are gone", func() bool {
		return s.statuses[statusClientGone] == before+len(s.spec.feeds())
	}, s.front.String)
	s.world.bell.Lock()
	p.mark = len(s.front.requests)
	for _, r := range s.front.requests {
		p.polls[r.feed] = r
	}
	s.world.bell.Unlock()
	s.writeBoth()
	s.do("back", s.front.name, nil)
	s.resumed(s.front, p)
	s.settle(s.front)
	s.toTheEnd()
	s.front.calm(0, 1)
}
