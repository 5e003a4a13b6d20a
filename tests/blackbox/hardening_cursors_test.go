package blackbox

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// quick is a gateway whose holds are short: a place beyond a log is held by the
// upstream for half its long poll before it is called out of bounds. The hold must
// be long enough for a read: one that is not back by then is a 503 (see again).
func quick(t *testing.T) *world {
	w, _ := watched(t, 'k')
	return w
}

// watched is quick, with a spy before its upstream.
func watched(t *testing.T, cursorKey byte) (*world, *spy) {
	up := &spy{}
	return newWorld(t, settings{
		hold: 250 * time.Millisecond, longPoll: 20 * time.Millisecond, linger: time.Millisecond, around: up.around, cursorKey: cursorKey,
	}), up
}

// quiet wants that the upstream is asked for nothing while something is done. A
// handle that it does not know is a 409 as well, so the status alone does not say
// that the gateway refused it.
func (s *spy) quiet(w *world, what string, do func()) {
	w.t.Helper()
	w.until("the last flight to end", func() bool { return w.flights.Stats().InAir == 0 })
	before := s.asked.Load()
	do()
	if n := s.asked.Load() - before; n != 0 {
		w.t.Errorf("%s: the upstream was asked %d times", what, n)
	}
}

// again asks, and asks on as clients do while the answer is a 503: on a busy
// machine a read may take longer than a short hold. One that stays is a fault.
func (w *world) again(r *http.Request) (got reply, err error) {
	for deadline := time.Now().Add(patience); ; {
		if got, err = w.try(r); err != nil || got.status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return got, err
		}
	}
}

// inLog subscribes, has both sides write, and reads on: the places of all sides
// are in the logs then, and the cursor holds everything that it can.
func (w *world) inLog(path string, n tenant) reply {
	w.t.Helper()
	at := w.fresh(path, n.key)
	updates := len(at.ids(w.t))
	for _, table := range []string{`"TaskRun"`, `task_run_v2`} {
		w.exec(`UPDATE ` + table + ` SET "number" = "number" + 1`)
	}
	for deadline := time.Now().Add(patience); updates > 0; updates -= len(at.ids(w.t)) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %d updates never came", path, updates)
		}
		at = w.get(with(path, at.place("live", "true")), n.key)
	}
	return at
}

// each runs do for every case, a few at a time: most of them wait.
func each(cases []string, do func(string)) {
	var workers sync.WaitGroup
	queue := make(chan string)
	for range 64 {
		workers.Go(func() {
			for c := range queue {
				do(c)
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	workers.Wait()
}

// Prevents that a client makes a handle of its own, for another floor or another
// shape: whatever single bit of one is changed, or however it is cut, it is none,
// and a 409 as every place that cannot be served; a 400 where it is no text any more.
func TestEveryBitOfAHandle(t *testing.T) {
	w, up := watched(t, 'k')
	for feed, path := range w.ours.feeds() {
		at := w.inLog(path, w.ours)
		handle, offset := at.header.Get("Electric-Handle"), at.header.Get("Electric-Offset")
		var changed, unreadable []string
		for i := range len(handle) {
			for bit := range 7 {
				b := []byte(handle)
				b[i] ^= 1 << bit
				changed = append(changed, string(b))
			}
			unreadable = append(unreadable, handle[:i]+string([]byte{handle[i] ^ 1<<7})+handle[i+1:])
			changed = append(changed, handle[:i], handle[:i]+handle[i+1:])
		}
		raw, err := base64.RawURLEncoding.DecodeString(handle)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(raw) * 8 {
			b := []byte(string(raw))
			b[i/8] ^= 1 << (i % 8)
			changed = append(changed, base64.RawURLEncoding.EncodeToString(b))
		}
		changed = append(changed, handle+"A", handle+"=", handle+handle, strings.ToUpper(handle))
		ask := func(h string, check func(got reply) bool) {
			for _, live := range []string{"false", "true"} {
				q := url.Values{"handle": {h}, "offset": {offset}, "live": {live}}.Encode()
				got, err := w.try(w.request("GET", with(path, q), w.ours.key))
				if err != nil {
					t.Errorf("%s with %q: %v", feed, h, err)
				} else if !check(got) {
					t.Errorf("%s with %q, live %s: %d %.200s", feed, h, live, got.status, got.body)
				}
			}
		}
		refused := func(h string) {
			ask(h, func(got reply) bool {
				next := got.header.Get("Electric-Handle")
				return got.status == 409 && got.body == mustRefetch && next != h && next != handle
			})
		}
		// What is not UTF-8 is no text, and no client's.
		nonsense := func(h string) { ask(h, func(got reply) bool { return got.status == 400 }) }
		up.quiet(w, feed, func() {
			each(changed, refused)
			each(unreadable, nonsense)
		})
		if got := w.get(with(path, at.place()), w.ours.key); got.status != 200 || len(got.ids(t)) > 0 {
			t.Errorf("%s: the handle itself: %d %s", feed, got.status, got.body)
		}
	}
}

// Prevents that the offset, which is not authenticated, leads out of its owner's
// own feed or breaks anything: what is made of it gives their own rows or a 409, or a
// 400 where it is no text any more.
func TestEveryDigitOfAnOffset(t *testing.T) {
	w := quick(t)
	for feed, path := range w.ours.feeds() {
		at := w.inLog(path, w.ours)
		own := map[string]bool{}
		for _, id := range w.fresh(path, w.ours.key).ids(t) {
			own[id] = true
		}
		offset := at.header.Get("Electric-Offset")
		var changed, garbled, unreadable []string
		for i := range len(offset) {
			for _, digit := range "0123456789" {
				if c := offset[:i] + string(digit) + offset[i+1:]; c != offset {
					changed = append(changed, c)
				}
			}
			changed = append(changed, offset[:i]+offset[i+1:])
			for bit := range 7 {
				b := []byte(offset)
				b[i] ^= 1 << bit
				garbled = append(garbled, string(b))
			}
			unreadable = append(unreadable, offset[:i]+string([]byte{offset[i] ^ 1<<7})+offset[i+1:])
			garbled = append(garbled, offset[:i+1]+offset[i:], offset[i:]+offset[:i])
		}
		var mu sync.Mutex
		statuses := map[int]int{}
		ask := func(o string, lives ...string) {
			for _, live := range lives {
				got, err := w.again(w.request("GET", with(path, at.place("offset", o, "live", live)), w.ours.key))
				if err != nil {
					t.Errorf("%s at %s: %v", feed, o, err)
					return
				}
				mu.Lock()
				statuses[got.status]++
				mu.Unlock()
				switch got.status {
				case 200:
					for _, m := range decode(got.body) {
						if m.Headers.Control == "" && !own[m.id()] {
							t.Errorf("%s at %s: the row %s", feed, o, m.id())
						}
					}
				case 409:
				default:
					t.Errorf("%s at %s, live %s: %d %.200s", feed, o, live, got.status, got.body)
				}
				if strings.Contains(got.body, w.theirs.canary) {
					t.Errorf("%s at %s: another tenant's rows", feed, o)
				}
			}
		}
		each(changed, func(o string) { ask(o, "false", "true") })
		each(garbled, func(o string) { ask(o, "false", "true") })
		for _, o := range unreadable {
			if got := w.get(with(path, at.place("offset", o)), w.ours.key); got.status != 400 {
				t.Errorf("%s at %q, which is no text: %d %.200s", feed, o, got.status, got.body)
			}
		}
		if statuses[200] == 0 || statuses[409] == 0 {
			t.Errorf("%s: %v", feed, statuses)
		}
	}
}
