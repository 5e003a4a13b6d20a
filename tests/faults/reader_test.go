package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// habits are ways in which the clients differ.
type habits struct {
	streams bool // it asks for live answers as server-sent events
	heeds   bool // Retry-After, as 1.5 does; the others try again after a tenth of a second
}

// reader follows a feed as Electric's TypeScript client does, and ends where that would:
// at a status that is not asked again, and at a 200 that breaks off.
type reader struct {
	feed   *feed
	habits habits
	client *http.Client

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with every answer
	rows    map[string]row
	told    bool     // that it is up to date, with the last answer
	heads   int      // of 200s that came
	dead    []string // what ended it, or should not have come
	refused int      // answers of 503
	cut     int      // connections that ended before an answer
}

// row is one as a client of Electric has it: every value a text, or none.
type row map[string]any

// number is what the writer counts up with each write.
func (r row) number() int {
	text, _ := r["number"].(string)
	n, _ := strconv.Atoi(text)
	return n
}

// Each has connections of its own, as browsers and processes have.
func newReader(f *feed, h habits) *reader {
	return &reader{
		feed: f, habits: h, client: &http.Client{Transport: &http.Transport{}},
		changed: make(chan struct{}), rows: make(map[string]row),
	}
}

// follow goes on until ctx ends or the client is dead.
func (r *reader) follow(ctx context.Context, base, credential string) {
	defer r.client.CloseIdleConnections()
	place := url.Values{"offset": {"-1"}}
	for ctx.Err() == nil {
		next, wait, err := r.once(ctx, base, credential, place)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.die(err)
			return
		case next != nil:
			place = next
			continue
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// tenth is how long the clients wait before they ask again, the first time.
const tenth = 100 * time.Millisecond

// once asks one time. It says where to go on, or after which time to ask the same again.
func (r *reader) once(ctx context.Context, base, credential string, place url.Values) (next url.Values, wait time.Duration, err error) {
	q := maps.Clone(r.feed.query)
	maps.Copy(q, place)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+r.feed.path+"?"+q.Encode(), http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	response, err := r.client.Do(request)
	if err != nil {
		r.update(func() { r.cut++ })
		return nil, tenth, nil
	}
	defer response.Body.Close()
	head := response.Header
	switch response.StatusCode {
	case http.StatusOK:
		r.update(func() { r.heads++ })
	case http.StatusServiceUnavailable:
		r.update(func() { r.refused++ })
		after, err := strconv.Atoi(head.Get("Retry-After"))
		if err != nil {
			return nil, 0, fmt.Errorf("a 503 without Retry-After, %q", head.Get("Retry-After"))
		}
		if r.habits.heeds {
			return nil, time.Duration(after) * time.Second, nil
		}
		return nil, tenth, nil
	default: // a 409 has it start over, which it should not have to
		body, _ := io.ReadAll(response.Body)
		return nil, 0, fmt.Errorf("status %d: %.300s", response.StatusCode, body)
	}
	next = url.Values{"handle": {head.Get("electric-handle")}, "offset": {head.Get("electric-offset")}}
	if next.Get("handle") == "" || next.Get("offset") == "" {
		return nil, 0, fmt.Errorf("a 200 without handle or offset: %v", head)
	}
	if cursor := head.Get("electric-cursor"); cursor != "" {
		next.Set("cursor", cursor)
	}
	if head.Get("content-type") == "text/event-stream" {
		return r.stream(ctx, response.Body, place, next)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("a 200 that breaks off after %d bytes: %w", len(body), err)
	}
	var messages []message
	if err := json.Unmarshal(body, &messages); err != nil {
		return nil, 0, fmt.Errorf("a 200 whose body is no JSON: %w", err)
	}
	told, err := r.take(messages)
	if _, header := head["Electric-Up-To-Date"]; err == nil && header != told {
		err = fmt.Errorf("the header says up to date: %v, and the body: %v", header, told)
	}
	if told || place.Get("live") == "true" {
		r.live(next)
	}
	return next, 0, err
}

// live has the next request be held.
func (r *reader) live(next url.Values) {
	next.Set("live", "true")
	if r.habits.streams {
		next.Set("live_sse", "true")
		next.Set("experimental_live_sse", "true")
	}
}

// message is one of a body.
type message struct {
	Key     string
	Value   row
	Headers struct {
		Operation, Control string
		LastSeen           string `json:"global_last_seen_lsn"`
	}
}

// take takes messages in, and says whether the last of them says up to date.
func (r *reader) take(messages []message) (told bool, err error) {
	r.update(func() {
		for _, m := range messages {
			told = m.Headers.Control == "up-to-date"
			switch had := r.rows[m.Key]; m.Headers.Operation {
			case "insert":
				r.rows[m.Key] = m.Value
			case "update":
				if had == nil {
					err = fmt.Errorf("an update of %s, which was never inserted", m.Key)
					return
				}
				if m.Value["number"] != nil && m.Value.number() < had.number() {
					err = fmt.Errorf("%s goes back from %d to %d", m.Key, had.number(), m.Value.number())
				}
				maps.Copy(had, m.Value)
			case "delete":
				delete(r.rows, m.Key)
			}
			if m.Headers.Control == "must-refetch" {
				err = fmt.Errorf("a must-refetch in a 200")
			}
		}
		r.told = told
	})
	return told, err
}

func (r *reader) die(err error) { r.update(func() { r.dead = append(r.dead, err.Error()) }) }

// update changes what others look at.
func (r *reader) update(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
	close(r.changed)
	r.changed = make(chan struct{})
}

// await waits until ok, which is asked under the lock, or until ctx ends or the client is
// dead; then it says so.
func (r *reader) await(ctx context.Context, ok func() bool) error {
	for {
		r.mu.Lock()
		reached, dead, changed := ok(), r.dead, r.changed
		r.mu.Unlock()
		switch {
		case len(dead) > 0:
			return fmt.Errorf("it is dead: %v", dead)
		case reached:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isTold says whether the last answer was up to date.
func (r *reader) isTold() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

// String names it in a failure.
func (r *reader) String() string {
	way := "long polling"
	if r.habits.streams {
		way = "streaming"
	}
	return fmt.Sprintf("a plain client, %s, on %s", way, r.feed.name)
}
