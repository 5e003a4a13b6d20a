package blackbox

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// follower is a client that does what Electric's TypeScript client does, as far as a
// server can see: it goes on from what headers say, is live from an up-to-date that
// ends a body on, starts over with the handle of a 409 and says which handle it gave
// up, waits before it asks again after a fault, and ends at any other 4xx.
type follower struct {
	w       *world
	path    string
	stop    context.CancelFunc
	stopped sync.WaitGroup

	mu      sync.Mutex
	handle  string
	offset  string
	cursor  string
	expired string
	live    bool // it asks for what is next with live=true
	rows    map[string]map[string]*string
	refetch int
	since   int // questions since it was told to start over
	faults  int
	twice   int // inserts of a row that it had
	unknown int // updates and deletes of a row that it had not
	ended   string
	shown   bool // the last body ended with an up-to-date: the platform's SDK and others show nothing before
}

// follow starts one.
func (w *world) follow(path string) *follower {
	f := &follower{w: w, path: path, offset: "-1", rows: make(map[string]map[string]*string)}
	f.resume()
	w.t.Cleanup(f.leave)
	return f
}

// resume goes on from where it was: with a read, as a client does that was stopped.
func (f *follower) resume() {
	f.live = false
	ctx, stop := context.WithCancel(f.w.t.Context())
	f.stop = stop
	f.stopped.Go(func() {
		for f.ask(ctx) {
		}
	})
}

// leave stops it.
func (f *follower) leave() {
	f.stop()
	f.stopped.Wait()
}

func (f *follower) query() string {
	q := url.Values{"offset": {f.offset}, "log": {"full"}}
	for name, value := range map[string]string{"handle": f.handle, "expired_handle": f.expired} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.live {
		q.Set("live", "true")
		q.Set("cursor", f.cursor)
	}
	return q.Encode()
}

// ask asks once, and says whether to go on.
func (f *follower) ask(ctx context.Context) bool {
	f.mu.Lock()
	r := f.w.request(http.MethodGet, with(f.path, f.query()), f.w.ours.key).WithContext(ctx)
	f.since++
	f.mu.Unlock()
	got, err := f.w.try(r)
	if ctx.Err() != nil {
		return false
	}
	f.mu.Lock()
	wait := f.take(got, err)
	f.mu.Unlock()
	if wait < 0 {
		return false
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// take takes in an answer. It gives how long to wait before the next question; never,
// if negative.
func (f *follower) take(got reply, err error) time.Duration {
	switch {
	case err != nil && got.status == http.StatusOK:
		f.ended = "a body broke off: " + err.Error() // which no client survives
		return -1
	case err != nil || got.status >= 500 || got.status == http.StatusTooManyRequests:
		f.faults++
		seconds, _ := strconv.Atoi(got.header.Get("Retry-After"))
		return max(100*time.Millisecond, time.Duration(seconds)*time.Second)
	case got.status == http.StatusConflict:
		f.expired, f.handle, f.offset, f.cursor, f.live = f.handle, got.header.Get("Electric-Handle"), "-1", "", false
		f.rows = make(map[string]map[string]*string)
		f.refetch++
		f.since = 0
		return 0
	case got.status != http.StatusOK:
		f.ended = fmt.Sprintf("%d %s", got.status, got.body)
		return -1
	}
	return f.apply(got)
}

func (f *follower) apply(got reply) time.Duration {
	h := got.header
	if h.Get("Electric-Handle") == "" || h.Get("Electric-Offset") == "" || f.live && h.Get("Electric-Cursor") == "" || !f.live && h.Get("Electric-Schema") == "" {
		f.ended = fmt.Sprintf("headers are missing: %v", h)
		return -1
	}
	if !f.live && h.Get("Electric-Offset") == f.offset && h["Electric-Up-To-Date"] == nil {
		f.ended = "it would ask the same again, for ever"
		return -1
	}
	f.handle, f.offset = h.Get("Electric-Handle"), h.Get("Electric-Offset")
	f.cursor = h.Get("Electric-Cursor")
	all := decode(got.body)
	for i, m := range all {
		switch _, had := f.rows[m.Key]; m.Headers.Operation {
		case "insert":
			if had {
				f.twice++
			}
			f.rows[m.Key] = m.Value
		case "update":
			if !had {
				f.unknown++
				break
			}
			maps.Copy(f.rows[m.Key], m.Value)
		case "delete":
			if !had {
				f.unknown++
			}
			delete(f.rows, m.Key)
		default:
			f.live = f.live || m.Headers.Control == "up-to-date" && i == len(all)-1
		}
		f.shown = m.Headers.Control == "up-to-date" && i == len(all)-1
	}
	return 0
}

// ids are those of the rows that it holds.
func (f *follower) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for key := range f.rows {
		ids = append(ids, message{Key: key}.id())
	}
	slices.Sort(ids)
	return ids
}

// holds says whether it shows exactly the rows with these ids and is live.
func (f *follower) holds(ids []string) bool {
	have := f.ids()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != "" {
		f.w.t.Fatalf("%s ended: %s", f.path, f.ended)
	}
	return f.live && f.shown && slices.Equal(have, ids)
}
