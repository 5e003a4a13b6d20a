package browser

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// scene is a world, and a browser that shows the page in its front tab.
type scene struct {
	*world
	*browser
	front *tab
	// followed are two runs that have a feed of their own, one a table.
	followed []job
}

// newScene makes one whose page follows the tag, the batch and two runs, and waits
// for news in each.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := newStage(t)
	s.raise(t, s.batch.friendly, "read:tags:"+s.tag, "read:batch:"+s.batch.friendly)
	s.settle(s.front)
	s.polling(s.front)
	return s
}

// newStage makes a scene without a browser: runs of both tables, in turn, and some
// that are in no feed of the page.
func newStage(t *testing.T) *scene {
	t.Helper()
	s := &scene{world: newWorld(t)}
	both(func(table runid.Table) { s.followed = append(s.followed, s.insert(s.db, table)) })
	both(func(table runid.Table) { s.insert(s.db, table) })
	both(func(table runid.Table) { s.put(s.db, s.newJob(table), "other", nil) })
	both(func(table runid.Table) { s.insert(s.db, table) })
	return s
}

// raise opens the page, with a feed of a batch unless that is "". Its token has
// these scopes and those for the two runs.
func (s *scene) raise(t *testing.T, batch string, scopes ...string) {
	t.Helper()
	page := spec{Tag: s.tag, Batch: batch}
	for _, j := range s.followed {
		page.Runs = append(page.Runs, j.friendly)
		scopes = append(scopes, "read:runs:"+j.friendly)
	}
	page.Auth = auth{s.url(), s.token(scopes...), "preview"}
	s.browser = newBrowser(t, s.world.bell, page)
	s.front = s.open("front", false)
	if dir := os.Getenv("BROWSER_PICTURES"); dir != "" {
		t.Cleanup(func() {
			name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + ".png"
			s.do("picture", "front", map[string]any{"path": filepath.Join(dir, name)})
		})
	}
}

// polling waits until a tab waits for news in every feed, but for those of runs
// that it has seen come to their end: of these it asks no more.
func (s *scene) polling(t *tab) {
	s.world.t.Helper()
	for _, feed := range t.spec.feeds() {
		t.await("a held poll of "+feed+", or of a run that is over none", func() bool {
			asked := t.of(feed, 0)
			if len(asked) == 0 {
				return false
			}
			last := asked[len(asked)-1]
			if t.over(feed) {
				return last.answered()
			}
			return last.live && last.sent && !last.answered()
		}, t.String)
	}
}

// over says whether a feed is of one run, which is completed.
func (t *tab) over(feed string) bool {
	return slices.Contains(t.spec.Runs, feed) && len(t.feeds[feed].Rows) == 1 && t.feeds[feed].Rows[0].Status == "COMPLETED"
}

// step writes while the page waits for news, and sees it follow.
func (s *scene) step(write func()) {
	s.world.t.Helper()
	s.polling(s.front)
	write()
	s.settle(s.front)
}

// toTheEnd sees new runs come, and those with a feed of their own through to their
// end, each state in each feed.
func (s *scene) toTheEnd() {
	s.world.t.Helper()
	both(func(table runid.Table) { s.step(func() { s.insert(s.db, table) }) })
	for _, j := range s.followed {
		s.step(func() { s.begin(s.db, j) })
	}
	for _, j := range s.followed {
		s.step(func() { s.complete(s.db, j) })
	}
	s.polling(s.front)
	s.world.bell.Lock()
	defer s.world.bell.Unlock()
	for _, j := range s.followed {
		for _, feed := range s.spec.feeds() {
			if slices.Contains(s.spec.Runs, feed) && feed != j.friendly {
				continue
			}
			if got, want := s.front.states[feed][j.friendly], []string{"QUEUED", "EXECUTING", "COMPLETED"}; !slices.Equal(got, want) {
				s.world.t.Errorf("%s was in %s shown as %v, want %v", j.friendly, feed, got, want)
			}
		}
	}
}

// mark is how many requests a tab has made.
func (t *tab) mark() int {
	t.bell.Lock()
	defer t.bell.Unlock()
	return len(t.requests)
}

// calm fails the test if since a mark a feed was started from the beginning more
// or less often than it should, or if a hook gives an error.
func (t *tab) calm(mark, starts int) {
	t.t.Helper()
	t.bell.Lock()
	defer t.bell.Unlock()
	for _, feed := range t.spec.feeds() {
		begun := 0
		for _, r := range t.of(feed, mark) {
			if r.offset == "-1" {
				begun++
			}
		}
		if fault := t.feeds[feed].Error; begun != starts || fault != "" {
			t.t.Errorf("%s was started %d times, not %d, and its error is %q\n%v", feed, begun, starts, fault, t)
		}
	}
}
