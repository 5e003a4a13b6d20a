package browser

import (
	"net/http"
	"testing"
)

// twoTabs: the page is open twice in one browser, whose storage both share. A
// handle that one was told to give up is known to the other from its first request
// on; both start over and converge when a table is emptied, whether both are seen
// or one is hidden.
func twoTabs(t *testing.T) {
	s := newStage(t)
	s.raise(t, "", "read:tags:"+s.tag) // three feeds each
	s.front.answers = []int{http.StatusConflict}
	s.settle(s.front)
	s.empty(s.followed[0])
	s.settle(s.front)

	other := s.open("other", true)
	other.answers = s.front.answers
	s.settle(other)
	s.world.bell.Lock()
	if first, rejected := other.of(s.tag, 0)[0], s.front.conflicts(s.tag); len(rejected) != 1 || first.expired != rejected[0].handle {
		t.Errorf("the first request of the other tab is %+v; the front tab:\n%v", *first, s.front)
	}
	s.world.bell.Unlock()
	other.calm(0, 1)

	followed := func(front, others int) { // with so many answers of 409
		t.Helper()
		for tab, n := range map[*tab]int{s.front: front, other: others} {
			s.settle(tab)
			tab.await("so many answers of 409", func() bool { return len(tab.conflicts(s.tag)) == n }, tab.String)
		}
	}
	s.empty(s.followed[1])
	followed(2, 1)
	s.begin(s.db, s.followed[0])
	followed(2, 1)

	p := s.hide(s.front)
	s.empty(s.followed[0])
	s.settle(other)
	s.unhide(s.front, p)
	followed(3, 2)
	for _, j := range s.followed {
		s.complete(s.db, j)
	}
	followed(3, 2)
}
