package embedded

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// live is a reader's next live request.
func live(q url.Values, after reply) url.Values {
	return with(q, "handle", after.handle(), "offset", after.offset(), "live", "true")
}

// TestIdleShapesMakeWay: where there is no room, the shape that was read longest
// ago goes, unless it is held or was read in the last minute. Who comes back to
// it starts over, once.
func TestIdleShapesMakeWay(t *testing.T) {
	b := newBench(t, Config{MaxShapes: 3})
	a, c, d := b.get(tagFeed("a")), b.get(tagFeed("c")), b.get(tagFeed("d"))
	held := b.hold("held", live(tagFeed("a"), b.get(with(tagFeed("a"), "handle", a.handle(), "offset", "0_inf"))))
	b.later(30 * time.Second)
	again := b.get(with(tagFeed("c"), "handle", c.handle(), "offset", "0_inf"))
	b.later(30 * time.Second)
	e := b.get(tagFeed("e")) // d goes: a is held, c was read half a minute ago
	if e.status != 200 || again.status != 200 {
		t.Fatalf("%d %s, %d", e.status, e.body, again.status)
	}
	for name, r := range map[string]reply{"a": a, "c": c, "e": e} {
		if got := b.get(with(tagFeed(name), "handle", r.handle(), "offset", "0_inf")); got.status != 200 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	back := with(tagFeed("d"), "handle", d.handle(), "offset", "0_inf")
	if got := b.get(back); got.status != 503 {
		t.Errorf("there is room for a fourth: %d %s", got.status, got.body)
	}
	b.later(time.Minute)
	got := b.get(back)
	if got.status != 409 || got.handle() == "" || got.handle() == d.handle() {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := b.get(with(tagFeed("d"), "handle", got.handle())); got.status != 200 || got.summary(t) != "snapshot-end" {
		t.Errorf("after starting over: %d %s", got.status, got.body)
	}
	b.write(addRun, "r", "a", []string{})
	if got := b.answer(held); got.status != 200 || got.summary(t) != "insert r, up-to-date" {
		t.Errorf("held: %d %s", got.status, got.body)
	}
}

// TestOldestGoesFirst: of those that nobody reads, the one that was read longest
// ago.
func TestOldestGoesFirst(t *testing.T) {
	b := newBench(t, Config{MaxShapes: 3})
	made := map[string]reply{}
	for _, env := range []string{"a", "c", "d"} {
		made[env] = b.get(tagFeed(env))
		b.later(time.Second)
	}
	b.get(with(tagFeed("a"), "handle", made["a"].handle(), "offset", "0_inf"))
	b.later(time.Minute)
	b.get(tagFeed("e"))
	for env, status := range map[string]int{"a": 200, "d": 200} {
		if got := b.get(with(tagFeed(env), "handle", made[env].handle(), "offset", "0_inf")); got.status != status {
			t.Errorf("%s: %d", env, got.status)
		}
	}
}

// TestNoRoom: when nobody makes way, a new shape is a 503 that says why and when
// to come back; those that are there go on; room is found later. Who comes back
// with a handle of a shape that is gone gets the same, and not a 409, unless only
// the snapshot will show that there is no room: that is a 409 first.
func TestNoRoom(t *testing.T) {
	big := strings.Repeat("x", 3000)
	for name, test := range map[string]struct {
		config    Config
		returning int // the status for a handle of before
		reason    string
	}{
		"shapes": {Config{MaxShapes: 2}, 503, "as many shapes as are allowed"},
		"files":  {Config{MaxFiles: 2, SnapshotMemory: 1000}, 503, "as many snapshots as are allowed"},
		"disk":   {Config{FileBytes: 8000, SnapshotMemory: 1000}, 409, "fill their space on disk"},
		"memory": {Config{MemoryBytes: 6000, SnapshotMemory: 10000}, 503, "fill their memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.config)
			feed := func(env string) url.Values { return with(tagFeed(env), "columns", "id,payload") }
			var first reply
			for _, env := range []string{"a", "c", "d"} {
				b.write(addRun, env, env, []string{})
				b.write(`UPDATE "TaskRun" SET payload = $1`, big)
			}
			b.caughtUp()
			for _, env := range []string{"a", "c"} {
				if first = b.get(feed(env)); first.status != 200 {
					t.Fatalf("%s: %d %s", env, first.status, first.body)
				}
			}
			refused := func(got reply) {
				t.Helper()
				if got.status != 503 || got.header.Get("retry-after") == "" || !strings.Contains(got.body, test.reason) {
					t.Errorf("%d %v %s", got.status, got.header, got.body)
				}
			}
			refused(b.get(feed("d")))
			switch got := b.get(with(feed("d"), "handle", "1-1", "offset", "0_inf")); {
			case got.status != test.returning:
				t.Errorf("with a handle of before: %d %s, want %d", got.status, got.body, test.returning)
			case got.status == 409:
				refused(b.get(feed("d"))) // and that is all that starting over comes to
			default:
				refused(got)
			}
			held := b.hold("held", with(feed("c"), "handle", first.handle(), "offset", "0_inf", "live", "true"))
			b.write(addRun, "new", "c", []string{})
			if got := b.answer(held); got.status != 200 || got.summary(t) != "insert new, up-to-date" {
				t.Errorf("%d %s", got.status, got.body)
			}
			b.later(time.Minute)
			got := b.get(feed("d"))
			if name == "disk" { // how much a snapshot needs is known when it fails
				got = b.get(feed("d"))
			}
			if got.status != 200 || got.summary(t) != "insert d, snapshot-end" {
				t.Errorf("later: %d %.300s", got.status, got.body)
			}
		})
	}
}
