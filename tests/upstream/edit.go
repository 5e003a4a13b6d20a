package upstream

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

// Answer is one of the server behind, before it is passed on.
type Answer struct {
	Request *http.Request
	Status  int
	Header  http.Header
	Body    []byte
}

// Live says whether the question was held.
func (a *Answer) Live() bool { return a.Request.URL.Query().Get("live") == "true" }

// messages are those of the body of a 200; nil: it has none.
func (a *Answer) messages() (all []json.RawMessage) {
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &all) != nil {
		return nil
	}
	return all
}

func (a *Answer) put(all []json.RawMessage) {
	body, err := json.Marshal(all) // which compacts, and changes no value
	if err != nil {
		panic(err)
	}
	a.Body = body
}

func isChange(m json.RawMessage) bool { return bytes.Contains(m, []byte(`"operation"`)) }

func isUpToDate(m json.RawMessage) bool { return bytes.Contains(m, []byte(`"up-to-date"`)) }

// SkipTheLast takes the last of several rows out of a held answer, and leaves the
// offset that it named: what Electric does where a row closes a chunk of the log. It
// says whether there were several.
func SkipTheLast(a *Answer) bool {
	all, last, changes := a.messages(), -1, 0
	for i, m := range all {
		if isChange(m) {
			last, changes = i, changes+1
		}
	}
	if !a.Live() || changes < 2 {
		return false
	}
	a.put(slices.Delete(all, last, last+1))
	return true
}

// NotUpToDate has a held answer with rows not be up to date: what Electric does with a
// transaction that is larger than what is left of a chunk. It says whether it had
// rows.
func NotUpToDate(a *Answer) bool {
	all := a.messages()
	if !a.Live() || !slices.ContainsFunc(all, isChange) {
		return false
	}
	a.put(slices.DeleteFunc(all, isUpToDate))
	a.Header.Del("Electric-Up-To-Date")
	return true
}

// Behind is a server that was started and has not caught up: it calls every place in
// its log up to date, and shows nothing of what came since, until CatchUp.
type Behind struct {
	mu     sync.Mutex
	schema map[string][]string // of each table
	caught bool
	told   int
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

// Told is how many times it said up to date too early.
func (b *Behind) Told() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told
}

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
	h.Set("Electric-Handle", q.Get("handle"))
	h.Set("Electric-Offset", q.Get("offset"))
	h.Set("Electric-Up-To-Date", "")
	if q.Get("live") == "" {
		h["Electric-Schema"] = b.schema[q.Get("table")]
	}
	_, _ = w.Write([]byte(`[{"headers":{"control":"up-to-date","global_last_seen_lsn":"0"}}]`))
	return true
}
