package blackbox

import (
	"net/url"
	"slices"
	"testing"
)

// Prevents that a cursor carries rights: it opens the feed that it was made for,
// for whom it was made, and nothing else, neither with the other's key nor with
// one's own.
func TestACursorOfAnother(t *testing.T) {
	w, up := watched(t, 'k')
	ours, theirs := w.ours.feeds(), w.theirs.feeds()
	for feed, path := range theirs {
		at := w.inLog(path, w.theirs)
		up.quiet(w, "their cursor of "+feed, func() {
			for of, own := range ours {
				for _, live := range []string{"false", "true"} {
					got := w.get(with(own, at.place("live", live)), w.ours.key)
					if got.status != 409 || got.body != mustRefetch {
						t.Errorf("their cursor of %s on our %s: %d %.200s", feed, of, got.status, got.body)
					}
				}
			}
			for of, other := range theirs {
				if of == feed {
					continue
				}
				if got := w.get(with(other, at.place()), w.theirs.key); got.status != 409 {
					t.Errorf("their cursor of %s on their %s: %d", feed, of, got.status)
				}
			}
		})
	}
}

// Prevents that cursors are mixed: of two that are both good, the handle of one
// with the offset of the other gives rows of the handle's feed or a 409.
func TestHalvesOfTwoCursors(t *testing.T) {
	w, up := watched(t, 'k')
	type half struct{ env, path, handle, offset string }
	var all []half
	for _, n := range []tenant{w.ours, w.theirs} {
		for _, path := range n.feeds() {
			for _, at := range []reply{w.fresh(path, n.key), w.inLog(path, n), w.get(with(path, "offset=2_0"), n.key)} {
				all = append(all, half{n.env, path, at.header.Get("Electric-Handle"), at.header.Get("Electric-Offset")})
			}
		}
	}
	served := 0
	for feed, path := range w.ours.feeds() {
		own := w.fresh(path, w.ours.key).ids(t)
		mix := func(a, b half) reply {
			q := url.Values{"handle": {a.handle}, "offset": {b.offset}}
			got, err := w.again(w.request("GET", with(path, q.Encode()), w.ours.key))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range decode(got.body) {
				if m.Headers.Operation != "" && !slices.Contains(own, m.id()) {
					t.Errorf("%s with the handle of %s %s and the offset of %s %s: the row %s", feed, a.env, a.path, b.env, b.path, m.id())
				}
			}
			return got
		}
		fits := func(h half) bool { return h.env == w.ours.env && h.path == path }
		for _, b := range all {
			if b.offset == "" {
				continue // of a 409
			}
			for _, a := range all {
				if !fits(a) {
					continue
				}
				got := mix(a, b)
				if got.status == 200 {
					served++
				} else if got.status != 409 {
					t.Errorf("%s with its handle and the offset of %s %s: %d %.200s", feed, b.env, b.path, got.status, got.body)
				}
			}
			if !fits(b) {
				continue
			}
			up.quiet(w, "a foreign handle and an offset of "+feed, func() {
				for _, a := range all {
					if fits(a) {
						continue
					}
					if got := mix(a, b); got.status != 409 {
						t.Errorf("%s with the handle of %s %s and its own offset: %d %.200s", feed, a.env, a.path, got.status, got.body)
					}
				}
			})
		}
	}
	if served == 0 {
		t.Error("no mixture was served: nothing was tried")
	}
}

// Prevents that a key which was given up, or another installation's, makes
// handles that are good here; and clients of either only start over. That a
// handle of another format's version is refused, well signed or not, stands in
// the tests of feeds and cursor, which can sign one.
func TestACursorOfAnotherKey(t *testing.T) {
	w, up := watched(t, 'k')
	other, otherUp := watched(t, 'o')
	for feed, path := range map[string]string{"tags": "/realtime/v1/runs?tags=a", "all runs": "/realtime/v1/runs"} {
		for name, c := range map[string]struct {
			by, of *world
			up     *spy
		}{"theirs here": {w, other, up}, "ours there": {other, w, otherUp}} {
			at := c.of.fresh(path, c.of.ours.key)
			c.up.quiet(w, name, func() {
				if got := c.by.get(with(path, at.place()), c.by.ours.key); got.status != 409 || got.body != mustRefetch {
					t.Errorf("%s, %s: %d %.200s", feed, name, got.status, got.body)
				}
			})
			if got := c.of.get(with(path, at.place()), c.of.ours.key); got.status != 200 {
				t.Errorf("%s, %s where it is from: %d", feed, name, got.status)
			}
		}
	}
}
