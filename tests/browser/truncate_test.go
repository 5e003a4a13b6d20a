package browser

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
)

// empty truncates the table of a run, and makes this run again at once, so that
// its feed has something to be whole with.
func (s *scene) empty(j job) {
	s.world.t.Helper()
	s.transaction(func(tx pgx.Tx) {
		s.exec(tx, "TRUNCATE "+tables[j.table])
		s.put(tx, j, s.tag, &s.world.batch.id)
	})
}

// conflicts are the requests for a feed that were answered with a 409.
func (t *tab) conflicts(feed string) (out []*request) {
	for _, r := range t.of(feed, 0) {
		if r.status == http.StatusConflict {
			out = append(out, r)
		}
	}
	return out
}

// truncate: each table in turn is emptied under the page. Each feed that reads it
// is told once to start over, and says from then on which handle it must not be
// given; the feed of the other table's run is left in peace. The runs that survive
// and those that come are right. The hooks keep showing the runs that are gone,
// until the page is loaded again: it then has the rejected handle from the
// browser's storage, and is not told to start over.
func truncate(t *testing.T) {
	s := newScene(t)
	s.front.answers = []int{http.StatusConflict}
	want := make(map[string]int)
	for _, j := range s.followed {
		s.step(func() { s.empty(j) })
		for _, feed := range []string{s.tag, s.world.batch.friendly, j.friendly} {
			want[feed]++
		}
		s.polling(s.front)
		s.world.bell.Lock()
		for _, feed := range s.spec.feeds() {
			if n := len(s.front.conflicts(feed)); n != want[feed] {
				t.Errorf("%s: %d answers of 409, want %d\n%v", feed, n, want[feed], s.front)
			}
		}
		s.world.bell.Unlock()
	}
	s.toTheEnd()

	mark := s.reload(s.front)
	s.front.calm(mark, 1)
	s.world.bell.Lock()
	defer s.world.bell.Unlock()
	for _, feed := range s.spec.feeds() {
		rejected := s.front.conflicts(feed)
		if first := s.front.of(feed, mark)[0]; len(rejected) != want[feed] || first.expired != rejected[want[feed]-1].handle {
			t.Errorf("%s: %d answers of 409; the first request of the page that was loaded again is %+v", feed, len(rejected), *first)
		}
	}
}
