package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// reader follows one feed as the shape clients do: from -1, not live until it was
// told that it is up to date, then live; a 409 makes it start over, a 503 or a
// broken connection ask again.
type reader struct {
	name     string
	feed     *feed
	settings settings
	board    *board
	fleet    *fleet
	history  *history
	habits   habits
	rand     *rand.Rand
	client   *http.Client

	// Of its own goroutine.
	at        at
	expired   string // the last handle that got a 409
	refetches int
	next      *answer // prefetched
	stored    *visit  // what it had when it last went away

	mu    sync.Mutex // guards what the judge looks at; taken after board.mu
	held  *held
	trail []string // the last responses
}

// at is where a reader is in its feed.
type at struct {
	handle, offset, cursor string
	live                   bool
	told                   bool // that it was up to date, by the answer before
}

var start = at{offset: "-1"}

// visit is a stored place and the rows that belong to it.
type visit struct {
	at   at
	held *held
}

// answer is one response, or what came of it.
type answer struct {
	asked    at
	gateway  *instance
	response *http.Response
	took     time.Duration // until the head was there
	err      error
}

func (r *reader) run(ctx context.Context) {
	defer r.client.CloseIdleConnections()
	defer r.dropPrefetched()
	for tries := 0; ctx.Err() == nil; {
		r.habits.pause(ctx, r)
		a := r.next
		r.next = nil
		if a == nil {
			a = r.ask(ctx, r.at)
		} else {
			r.board.count("prefetched", 1)
		}
		again, v := r.takeIn(ctx, a)
		if v != nil && ctx.Err() == nil {
			v.reader = r.name
			v.text += "\n" + strings.Join(r.tracks(), "\n")
			r.board.fail(v)
			return
		}
		if !again {
			tries = 0
			r.board.update(func(b *board) { b.answers++ })
			continue
		}
		tries++
		r.board.count("asked again", 1)
		// As the clients do, from 100 ms on; the world is small, so less.
		r.board.wait(ctx, time.Duration(1+r.rand.IntN(10<<min(tries, 5)))*time.Millisecond, func(*board) bool { return false })
	}
}

// ask sends one request and waits for the head of its response.
func (r *reader) ask(ctx context.Context, from at) *answer {
	q := url.Values{}
	for name, value := range r.feed.query {
		q.Set(name, value)
	}
	q.Set("offset", from.offset)
	if from.handle != "" {
		q.Set("handle", from.handle)
	}
	if r.expired != "" {
		q.Set("expired_handle", r.expired)
	}
	if from.live {
		q.Set("live", "true")
		q.Set("cursor", from.cursor)
		if r.habits.streams {
			q.Set("experimental_live_sse", "true")
		}
	}
	a := &answer{asked: from, gateway: r.fleet.pick(r.rand.IntN(1 << 20))}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.gateway.url+r.feed.path+"?"+q.Encode(), http.NoBody)
	if err != nil {
		a.err = err
		return a
	}
	request.Header.Set("Authorization", "Bearer "+r.feed.key)
	if r.feed.modern {
		request.Header.Set("x-trigger-api-version", "2025-07-16")
	}
	sent := time.Now()
	a.response, a.err = r.client.Do(request)
	a.took = time.Since(sent)
	return a
}

// takeIn reads a response and goes on from it. again says to ask the same later.
func (r *reader) takeIn(ctx context.Context, a *answer) (again bool, v *violation) {
	if a.err != nil {
		r.note("%+v: %v", a.asked, a.err)
		if a.gateway.over.Load() {
			return true, nil
		}
		return false, found(protocol, "%v", a.err)
	}
	defer func() { _ = a.response.Body.Close() }()
	head := a.response.Header
	if head.Get("content-type") == "text/event-stream" {
		return r.follow(ctx, a)
	}
	next := at{handle: head.Get("electric-handle"), offset: head.Get("electric-offset"), cursor: a.asked.cursor, live: a.asked.live}
	if _, upToDate := head["Electric-Up-To-Date"]; a.response.StatusCode == http.StatusOK && !a.asked.live && !upToDate && r.habits.prefetch {
		r.next = r.ask(ctx, next)
	}
	body, err := r.habits.read(ctx, r, a.response.Body)
	r.note("%s -> %d %s, %d bytes, %s", a.asked, a.response.StatusCode, next.offset, len(body), a.took.Round(time.Millisecond))
	if err != nil {
		r.dropPrefetched()
		if a.gateway.over.Load() {
			return true, nil
		}
		return false, found(protocol, "the body broke off: %v", err)
	}
	switch a.response.StatusCode {
	case http.StatusOK:
		return false, r.goOn(a, next, body)
	case http.StatusConflict:
		return false, r.startOver(a, next.handle, body)
	case http.StatusServiceUnavailable:
		whole := a.asked.live && a.took > r.settings.hold*3/4 // it was held, and ended while a side failed
		if a.gateway.over.Load() || r.settings.outages && (whole || r.settings.hold < defaultHold) {
			r.board.count("503", 1)
			return true, nil
		}
	}
	return false, found(protocol, "status %d: %.300s", a.response.StatusCode, body)
}

func (a at) String() string { return fmt.Sprintf("%s live=%v told=%v", a.offset, a.live, a.told) }

// goOn checks a 200 and takes in its rows.
func (r *reader) goOn(a *answer, next at, body []byte) *violation {
	head := a.response.Header
	var messages []message
	if err := json.Unmarshal(body, &messages); err != nil {
		return found(protocol, "the body: %v", err)
	}
	_, header := head["Electric-Up-To-Date"]
	r.tally(a, messages, header)
	r.mu.Lock()
	defer r.mu.Unlock()
	if v := r.held.take(messages); v != nil {
		return v
	}
	told := r.held.upToDate
	_, cursor := head["Electric-Cursor"]
	switch {
	case next.handle == "" || next.offset == "":
		return found(protocol, "no handle or offset: %v", head)
	case next.handle == r.expired:
		return found(protocol, "a handle that was given up: %s", next.handle)
	case told != header:
		return found(badControl, "the header says up to date: %v, the body: %v", header, told)
	case cursor != a.asked.live:
		return found(protocol, "electric-cursor on an answer of which live is %v", a.asked.live)
	case !told && next.offset == a.asked.offset:
		return found(stuck, "not up to date, and the offset stays %s", next.offset)
	case a.asked.live && a.asked.told && !slices.ContainsFunc(messages, isChange) && a.took < r.settings.hold*3/4 && !a.gateway.over.Load():
		return found(notHeld, "a live answer without rows after %s of a hold of %s", a.took, r.settings.hold)
	}
	next.live, next.told = next.live || told, told
	next.cursor = head.Get("Electric-Cursor")
	r.at = next
	return nil
}

// tally counts what came.
func (r *reader) tally(a *answer, messages []message, upToDate bool) {
	for _, m := range messages {
		r.board.count(m.Headers.Operation+m.Headers.Control, 1)
	}
	switch {
	case a.response.ContentLength < 0:
		r.board.count("streamed", 1)
	case a.asked.live && !upToDate:
		r.board.count("live in parts", 1)
	case a.asked.live:
		r.board.count("live", 1)
	default:
		r.board.count("read", 1)
	}
}

// startOver checks a 409 and forgets everything.
func (r *reader) startOver(a *answer, handle string, body []byte) *violation {
	r.dropPrefetched()
	const mustRefetch = `[{"headers":{"control":"must-refetch"}}]`
	most := 0
	r.board.look(func(b *board) {
		for _, table := range r.feed.tables {
			most += b.rotated[table.Name()]
		}
	})
	switch r.refetches++; {
	case string(body) != mustRefetch:
		return found(protocol, "the body of a 409 is %.200s", body)
	case handle == "" || handle == a.asked.handle:
		return found(protocol, "a 409 for handle %q names %q", a.asked.handle, handle)
	case r.refetches > most:
		return found(refetched, "%d times, with %d truncations of its tables", r.refetches, most)
	}
	r.board.count("409", 1)
	r.expired = a.asked.handle
	r.stored = nil
	r.begin(visit{at{handle: handle, offset: "-1"}, newHeld(r.feed, r.history)})
	return nil
}

// begin goes on from a place with its rows.
func (r *reader) begin(from visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.held = from.at, from.held
}

func (r *reader) dropPrefetched() {
	if r.next != nil && r.next.err == nil {
		_ = r.next.response.Body.Close()
	}
	r.next = nil
}

// note keeps the last responses, for the report of a violation.
func (r *reader) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trail = append(r.trail, "    "+fmt.Sprintf(format, args...))
	r.trail = r.trail[max(0, len(r.trail)-12):]
}

func (r *reader) tracks() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.trail)
}

// judge says whether the reader has reached the end of a phase, and if so
// compares it with the truth.
func (r *reader) judge(targets []*state, truth map[string]values) (arrived bool, v *violation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held.upToDate {
		return false, nil
	}
	for _, s := range targets {
		if r.feed.selects(s.facts) && number(r.held.rows[s.key()]) < s.number {
			return false, nil
		}
	}
	if difference := r.held.differs(truth); difference != "" {
		return true, &violation{diverged, r.name, difference + "\n" + strings.Join(r.trail, "\n")}
	}
	return true, nil
}
