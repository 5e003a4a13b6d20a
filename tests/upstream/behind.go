package upstream

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// Behind is a server that was started and has not caught up: it calls every place in
// its log up to date, and shows nothing of what came since, until CatchUp.
type Behind struct {
	mu     sync.Mutex
	schema map[string][]string // of each table
	caught bool
	told   int
	more   chan struct{} // closed and replaced when it tells
}

// Learn notes what Behind needs to know of a server that is well. It is an edit.
func (b *Behind) Learn(a *Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if schema := a.Header.Values("Electric-Schema"); len(schema) > 0 {
		if b.schema == nil {
			b.schema = make(map[string][]string)
		}
		b.schema[a.Request.URL.Query().Get("table")] = schema
	}
}

// CatchUp ends it.
func (b *Behind) CatchUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.caught = true
}

// Await waits until it has said up to date too early so many times more.
func (b *Behind) Await(t testing.TB, times int) {
	t.Helper()
	late := time.After(patience)
	b.mu.Lock()
	defer b.mu.Unlock()
	for until := b.told + times; b.told < until; {
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		var failed bool
		select {
		case <-more:
		case <-late:
			failed = true
		}
		b.mu.Lock()
		if failed {
			t.Fatalf("it was not asked %d times in %s", times, patience)
		}
	}
}

// patience is far above what anything takes, because machines that test are busy.
const patience = 2 * time.Minute

// Answer is for Front.Instead. /v1/health says waiting meanwhile.
func (b *Behind) Answer(w http.ResponseWriter, r *http.Request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	q, h := r.URL.Query(), w.Header()
	if b.caught || q.Get("offset") == "-1" {
		return false
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	if r.URL.Path != "/v1/shape" {
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"status":"waiting"}`))
		return true
	}
	b.told++
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	h.Set("Electric-Handle", q.Get("handle"))
	h.Set("Electric-Offset", q.Get("offset"))
	h.Set("Electric-Up-To-Date", "")
	if q.Get("live") == "" {
		h["Electric-Schema"] = b.schema[q.Get("table")]
	}
	_, _ = w.Write([]byte(`[{"headers":{"control":"up-to-date","global_last_seen_lsn":"0"}}]`))
	return true
}
