package browser

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// snapshot: the page renders what both tables have, oldest first, after one
// request a feed, and waits for news with the second. Every request was preceded
// by a preflight that asked leave for what the hooks send.
func snapshot(t *testing.T) {
	s := newScene(t)
	s.front.calm(0, 1)
	want := []string{"authorization", "trigger-version", "x-trigger-api-version", "x-trigger-branch", "x-trigger-electric-version"}
	s.world.bell.Lock()
	defer s.world.bell.Unlock()
	for _, feed := range s.spec.feeds() {
		asked := s.front.of(feed, 0)
		if asked[0].offset != "-1" || asked[0].handle != "" || asked[0].live || !asked[1].live {
			t.Errorf("%s: not one request from the beginning and one that waits\n%v", feed, s.front)
		}
	}
	for _, r := range s.front.requests {
		if r.sent && !slices.ContainsFunc(s.front.preflights, func(p *request) bool { return p.url == r.url }) {
			t.Errorf("there was no preflight of %+v", *r)
		}
	}
	for _, p := range s.front.preflights {
		if got := strings.Split(p.headers["Access-Control-Request-Headers"], ","); p.status != http.StatusOK || !slices.Equal(got, want) {
			t.Errorf("a preflight for %v was answered %d; want %v and 200", got, p.status, want)
		}
	}
}
