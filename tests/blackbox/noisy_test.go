package blackbox

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// An environment that follows more different feeds than it may is asked to wait, by a
// status after which clients come again; what it follows already goes on, and another
// environment does not notice.
func TestANoisyEnvironment(t *testing.T) {
	w := newWorld(t, settings{perEnvironment: flight.PerEnvironment{Definitions: 8}})
	feed := func(n int) string { return fmt.Sprint("/realtime/v1/runs?tags=noise", n) }
	first := w.fresh(feed(0), w.ours.key)
	n, refused := 1, reply{}
	for refused.status = 200; refused.status == 200 && n < 20; n++ {
		refused = w.get(feed(n)+"&offset=-1", w.ours.key)
	}
	if refused.status != 429 || refused.body != `{"error":"Too many different subscriptions"}` || n < 4 {
		t.Fatalf("feed %d: %d %s", n, refused.status, refused.body)
	}
	if wait, err := strconv.Atoi(refused.header.Get("Retry-After")); err != nil || wait < 1 || wait > 10 {
		t.Errorf("Retry-After is %q", refused.header.Get("Retry-After"))
	}
	if got := w.get(with(feed(0), first.place()), w.ours.key); got.status != 200 {
		t.Errorf("a feed that it follows already: %d %s", got.status, got.body)
	}
	live := w.poll(with(feed(0), first.place("live", "true")), w.ours.key)
	w.untilTaken(w.ours.env, 1)
	for n := range 3 {
		w.fresh(feed(n), w.theirs.key)
	}
	w.ours.create(runid.V2, newRun("noise0"))
	if got := w.answered(live); got.status != 200 {
		t.Errorf("a held request: %d %s", got.status, got.body)
	}
}
