package blackbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

var tables = runid.Tables()

func newRun(tags ...string) runstore.NewRun { return runstore.NewRun{Tags: tags} }

// untilTaken waits until an environment holds n slots. There is no signal for
// the moment that a handler in another goroutine reaches it.
func (w *world) untilTaken(env string, n int) {
	w.t.Helper()
	w.until("slots", func() bool { return w.slots.Taken(env) == n })
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// poll is a live request that is under way.
type poll struct {
	leave context.CancelFunc
	got   chan reply
	err   chan error
}

func (w *world) poll(target, credential string) poll {
	w.t.Helper()
	ctx, leave := context.WithCancel(w.t.Context())
	p := poll{leave, make(chan reply, 1), make(chan error, 1)}
	r := w.request("GET", target, credential).WithContext(ctx)
	go func() {
		got, err := w.try(r)
		p.err <- err
		p.got <- got
	}()
	return p
}

// answered is what a poll gets that has to be answered by now.
func (w *world) answered(p poll) reply {
	w.t.Helper()
	select {
	case err := <-p.err:
		if err != nil {
			w.t.Fatal(err)
		}
		return <-p.got
	case <-time.After(patience):
		p.leave()
		w.t.Fatalf("a poll was not answered in %v", patience)
		return reply{}
	}
}

// One live request holds one slot of its environment, over two tables or one,
// and nothing else holds any.
func TestSlots(t *testing.T) {
	w := newWorld(t, settings{limit: 2})
	const path = "/realtime/v1/runs?tags=a"
	at := w.fresh(path, w.ours.key)
	live := with(path, at.place("live", "true"))
	first, second := w.poll(live, w.ours.key), w.poll(live, w.ours.token("read:tags"))
	w.untilTaken(w.ours.env, 2)

	full := w.get(live, w.ours.key)
	if full.status != 429 || full.body != `{"error":"Too many concurrent requests"}` || full.header.Get("Cache-Control") != "no-store" {
		t.Errorf("at the limit: %d %s %v", full.status, full.body, full.header)
	}
	for feed, path := range w.ours.feeds() { // who does not wait needs no slot
		if got := w.fresh(path, w.ours.key); got.status != 200 {
			t.Errorf("%s: %d", feed, got.status)
		}
	}
	if got := w.get(with(path, "offset=1_0&handle=x"), w.ours.key); got.status != 409 {
		t.Errorf("a bad cursor: %d", got.status)
	}
	theirs := w.fresh(path, w.theirs.key) // another environment has its own
	other := w.poll(with(path, theirs.place("live", "true")), w.theirs.key)
	w.untilTaken(w.theirs.env, 1)

	first.leave() // who leaves gives it back
	if err := <-first.err; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.untilTaken(w.ours.env, 1)
	third := w.poll(live, w.ours.key)
	w.untilTaken(w.ours.env, 2)
	w.ours.create(tables[0], newRun("a")) // and so does who is answered
	for _, p := range []poll{second, third} {
		if err := <-p.err; err != nil {
			t.Fatal(err)
		}
		if got := <-p.got; got.status != 200 || len(got.ids(t)) != 1 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	w.untilTaken(w.ours.env, 0)
	if got := w.get(with(path, "offset=1_0&handle=x&live=true"), w.ours.key); got.status != 409 || w.slots.Taken(w.ours.env) != 0 {
		t.Errorf("a bad cursor, live: %d, %d slots", got.status, w.slots.Taken(w.ours.env))
	}
	other.leave()
	<-other.err
	w.untilTaken(w.theirs.env, 0)
}

// A client that leaves ends its handler; what it waited for goes on for a moment
// and ends too. TestMain looks for what is left.
func TestAClientThatLeaves(t *testing.T) {
	up := &spy{}
	w := newWorld(t, settings{linger: 20 * time.Millisecond, around: up.around})
	const path = "/realtime/v1/runs?tags=a"
	at := w.fresh(path, w.ours.key)
	p := w.poll(with(path, at.place("live", "true")), w.ours.key)
	w.until("both sides to be held", func() bool { return up.held.Load() == 2 })
	p.leave()
	<-p.err
	w.until("both calls to end", func() bool { return up.held.Load() == 0 })
	w.until("the log", func() bool { return strings.Contains(w.log.String(), `"status":499`) })
	if log := w.log.String(); strings.Contains(log, `"status":5`) || strings.Contains(log, `"level":"error"`) {
		t.Errorf("a client that left is logged as a fault: %s", log)
	}
}

// A second client at the same place waits for the same upstream calls.
func TestPollsAreShared(t *testing.T) {
	up := &spy{}
	w := newWorld(t, settings{around: up.around})
	const path = "/realtime/v1/runs?tags=a"
	at := w.fresh(path, w.ours.key)
	var polls []poll
	for range 20 {
		polls = append(polls, w.poll(with(path, at.place("live", "true")), w.ours.key))
	}
	w.untilTaken(w.ours.env, 20)
	w.until("the upstream", func() bool { return up.held.Load() == 2 })
	w.ours.create(tables[1], newRun("a"))
	for _, p := range polls {
		if err := <-p.err; err != nil {
			t.Fatal(err)
		}
		if got := <-p.got; len(got.ids(t)) != 1 {
			t.Errorf("%s", got.body)
		}
	}
	if n := up.most.Load(); n > 2 {
		t.Errorf("%d calls at a time", n)
	}
}
