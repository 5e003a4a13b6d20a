package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// refusedFeeds: what the gateway refuses reaches the hooks as what it is, though
// it comes from another origin: a batch that the token may not read, and a run
// that there is not. The other feeds do not notice.
func refusedFeeds(t *testing.T) {
	s := newStage(t)
	there := s.followed[1]
	missing := s.newJob(runid.Legacy)
	s.followed = []job{there, missing}
	s.raise(t, s.world.batch.friendly, "read:tags:"+s.tag)
	s.front.answers = []int{http.StatusForbidden, http.StatusNotFound}
	refused := func(feed string, words ...string) {
		t.Helper()
		s.front.await("the error of "+feed, func() bool {
			for _, word := range words {
				if !strings.Contains(s.front.feeds[feed].Error, word) {
					return false
				}
			}
			return true
		}, s.front.String)
	}
	refused(s.world.batch.friendly, "403", "Unauthorized")
	refused(missing.friendly, "404", "Not found")
	s.settle(s.front, s.tag, there.friendly)
	s.complete(s.db, there)
	s.settle(s.front, s.tag, there.friendly)
}
