package oracle

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// shortest is how long a stream lasts at least that nothing has disturbed: clients
// give up streaming after some that were shorter.
const shortest = time.Second

// follow takes in a stream of events as Electric's clients do: what came since the
// last up-to-date counts only when the next one comes, which also names the place
// behind it; and however the stream ends, the reader goes on from there.
func (r *reader) follow(ctx context.Context, a *answer) (again bool, v *violation) {
	head := a.response.Header
	if offset := head.Get("electric-offset"); offset != a.asked.offset {
		return false, found(protocol, "the head of a stream from %s names %s", a.asked.offset, offset)
	}
	began := time.Now()
	var pending []message
	lines := bufio.NewReader(a.response.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			r.note("%s -> stream ended after %s: %v", a.asked, time.Since(began).Round(time.Millisecond), err)
			switch {
			case ctx.Err() != nil || a.gateway.over.Load():
			case a.took+time.Since(began) < shortest:
				return false, found(stuck, "a stream ended after %s", a.took+time.Since(began))
			}
			return false, nil
		}
		data, is := strings.CutPrefix(line, "data: ")
		if !is {
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			return false, found(protocol, "an event %.200q: %v", data, err)
		}
		pending = append(pending, m)
		if m.Headers.Control != "up-to-date" {
			continue
		}
		if v := r.upTo(a, head, pending); v != nil {
			return false, v
		}
		pending = nil
	}
}

// upTo takes in the messages of a stream up to an up-to-date.
func (r *reader) upTo(a *answer, head http.Header, messages []message) *violation {
	for _, m := range messages {
		r.board.count(m.Headers.Operation+m.Headers.Control, 1)
	}
	r.board.count("streamed events", len(messages))
	last := &messages[len(messages)-1]
	if last.Headers.LastSeen == nil {
		return found(badControl, "an up-to-date of a stream without global_last_seen_lsn")
	}
	offset := *last.Headers.LastSeen + "_0"
	last.Headers.LastSeen = nil // it is no log position
	defer r.board.update(func(b *board) { b.answers++ })
	r.mu.Lock()
	defer r.mu.Unlock()
	if v := r.held.take(messages); v != nil {
		return v
	}
	handle := head.Get("electric-handle")
	if handle == "" || handle == r.expired || head.Get("electric-cursor") == "" {
		return found(protocol, "the head of a stream: %v", head)
	}
	r.at = at{handle: handle, offset: offset, cursor: head.Get("electric-cursor"), live: true, told: true}
	return nil
}
