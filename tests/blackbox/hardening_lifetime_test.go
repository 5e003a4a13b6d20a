package blackbox

import (
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// Prevents that a subscription outlives its credential: a poll that is held when
// its token ends is answered at that moment, up to date as every hold that ends,
// and the next one is refused. So the user of an SDK sees the rows up to the end,
// and then an error that says why.
func TestATokenThatEndsWhileItsPollIsHeld(t *testing.T) {
	w := newWorld(t, settings{hold: time.Hour}) // what is answered was not answered by the hold's end
	at := map[string]reply{}
	for _, path := range w.ours.feeds() {
		at[path] = w.fresh(path, w.ours.key)
	}
	for life := 2 * time.Second; ; life *= 2 { // a busy machine may need longer than that to ask
		now := time.Now()
		end := now.Add(life).Truncate(time.Second)
		token := sign(t, w.ours.key, auth.Token{EnvironmentID: w.ours.env, Scopes: []string{"read:all"}, IssuedAt: now, Expires: end})
		polls := map[string]poll{}
		for path := range at {
			polls[path] = w.poll(with(path, at[path].place("live", "true")), token)
		}
		late := false
		for path, p := range polls {
			got := w.answered(p)
			if early := time.Until(end); early > 0 {
				t.Errorf("%s: answered %v before the token ends: %d %s", path, early, got.status, got.body)
			}
			if late = late || got.status == 401; late {
				continue
			}
			if m := decode(got.body); got.status != 200 || len(m) != 1 || m[0].Headers.Control != "up-to-date" || got.header.Get("Electric-Cursor") == "" || got.place() != at[path].place() {
				t.Errorf("%s: the held poll is answered with %d %s %v", path, got.status, got.body, got.header)
			}
			for _, query := range []string{got.place("live", "true"), got.place(), "offset=-1"} {
				if next := w.get(with(path, query), token); next.status != 401 || next.body != invalidToken {
					t.Errorf("%s: the next request is a %d %s", path, next.status, next.body)
				}
			}
			if got := w.get(with(path, at[path].place()), w.ours.key); got.status != 200 { // the place is not the token's
				t.Errorf("%s: with another credential %d", path, got.status)
			}
		}
		if !late {
			break
		}
		if life > patience {
			t.Fatalf("a token of %v has ended before it was used", life)
		}
	}
	if n := w.slots.Taken(w.ours.env); n != 0 {
		t.Errorf("%d slots are taken afterwards", n)
	}
}

// Prevents that a process which ends is still sent clients, or cuts those it has:
// it says first that it is not ready, then answers who is held, and keeps
// answering who comes all the same, without holding them.
func TestDrain(t *testing.T) {
	w := newWorld(t, settings{hold: time.Hour})
	var polls []poll
	var places []string
	for _, n := range []tenant{w.ours, w.theirs} {
		for _, path := range n.feeds() {
			at := w.fresh(path, n.key)
			places = append(places, with(path, at.place("live", "true")))
			polls = append(polls, w.poll(places[len(places)-1], n.key))
		}
	}
	w.untilTaken(w.ours.env, len(polls)/2)
	w.untilTaken(w.theirs.env, len(polls)/2)
	w.ready.Store(false) // in the order of the program
	if got := w.get("/readyz", ""); got.status != 503 || got.body != `{"status":"not ready"}` || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("readyz: %d %s", got.status, got.body)
	}
	if got := w.get("/healthz", ""); got.status != 200 {
		t.Errorf("healthz: %d", got.status)
	}
	for _, p := range polls {
		select {
		case <-p.err:
			t.Fatal("a poll was answered before the drain")
		default:
		}
	}
	w.feeds.Drain()
	for i, p := range polls {
		if got := w.answered(p); got.status != 200 || len(got.ids(t)) != 0 || len(got.messages(t)) != 1 {
			t.Errorf("the held poll of %s: %d %s", places[i], got.status, got.body)
		}
	}
	for _, target := range places[:len(places)/2] {
		if got := w.get(target, w.ours.key); got.status != 200 || len(got.messages(t)) != 1 {
			t.Errorf("a poll that comes later: %d %s", got.status, got.body)
		}
	}
	for _, path := range w.ours.feeds() {
		if got := w.fresh(path, w.ours.key); len(got.ids(t)) == 0 {
			t.Errorf("%s: nothing for who starts", path)
		}
	}
}
