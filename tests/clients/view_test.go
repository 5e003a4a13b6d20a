package clients

import (
	"encoding/json"
	"fmt"
	"strings"
)

// subscription is a feed to follow, as drivers read it.
type subscription struct {
	Kind  string          `json:"kind"` // tag, batch or run
	ID    string          `json:"id"`   // of a run and a batch, the friendly one
	Token string          `json:"token"`
	From  json.RawMessage `json:"from,omitempty"` // what the client kept, to go on from
}

// row is a row or a run as a client holds it, in JSON's terms.
type row map[string]any

// event is a line of a driver.
type event struct {
	Event   string
	Feed    string
	Live    bool               // request, sent, response, no-response, aborted
	Offset  string             // request: asked at
	Status  int                // response
	Stream  bool               // response: its body is a stream of events
	Code    string             // no-response
	Rows    map[string]row     // rows: those that changed; nil for one that is gone
	TxIDs   map[string][]int64 // rows: what their last messages named
	TxID    int64              // transaction: one that was awaited has come
	Run     row
	State   json.RawMessage // kept
	Message string          // error
}

// view is what a client has shown of one feed.
type view struct {
	held      map[string]row // by key, id or friendly id, as the client does it; nil: nothing was said yet
	txids     map[string][]int64
	awaited   map[int64]bool // transactions
	kept      json.RawMessage
	waiting   bool     // a live request has left for the gateway, or its stream goes on
	starts    int      // requests from offset -1
	requests  int      //
	conflicts int      // answers of 409
	refetches int      // must-refetch messages
	ended     []int    // other statuses of 400 and more, 503 excepted
	cut       []string // codes of requests that got no answer
	over      bool     // the client ended the subscription, with the run
	errors    []string // given to the application
}

func newView(c client) *view {
	v := &view{txids: make(map[string][]int64), awaited: make(map[int64]bool)}
	if c.form == runs { // it says nothing of a feed without runs
		v.held = make(map[string]row)
	}
	return v
}

// apply takes an event of a client that stops with a run, or does not.
func (v *view) apply(e event, stops bool) {
	switch e.Event {
	case "request":
		v.requests++
		v.waiting = v.waiting && !e.Live
		if e.Offset == "-1" {
			v.starts++
		}
	case "sent":
		v.waiting = v.waiting || e.Live
	case "response":
		v.waiting = v.waiting && (!e.Live || e.Stream)
		switch {
		case e.Status == 409:
			v.conflicts++
		case e.Status >= 400 && e.Status != 503:
			v.ended = append(v.ended, e.Status)
		}
	case "no-response":
		v.waiting = v.waiting && !e.Live
		v.cut = append(v.cut, e.Code)
	case "aborted":
		v.waiting = v.waiting && !e.Live
	case "must-refetch":
		v.refetches++
	case "rows":
		v.take(e)
	case "run":
		id, _ := e.Run["id"].(string)
		v.held[id] = e.Run
	case "transaction":
		v.awaited[e.TxID] = true
	case "kept":
		v.kept = e.State
	case "end":
		if last := v.held[e.Feed]; stops && last["finishedAt"] != nil {
			v.over = true
		} else {
			v.errors = append(v.errors, "the subscription ended")
		}
	case "error":
		v.errors = append(v.errors, e.Message)
	}
}

func (v *view) take(e event) {
	if v.held == nil {
		v.held = make(map[string]row)
	}
	for key, r := range e.Rows {
		if v.held[key] = r; r == nil {
			delete(v.held, key)
		}
		v.txids[key] = e.TxIDs[key]
	}
}

// calm says whether the feed was never started over and the application was
// never given an error.
func (v *view) calm() bool {
	return v.conflicts+v.refetches+len(v.ended)+len(v.errors) == 0
}

// String is all but the rows.
func (v *view) String() string {
	return fmt.Sprintf("%d rows held, %d requests, %d starts, %d conflicts, %d must-refetches, waiting %t, over %t, ended by %v, cut %v, errors [%s]",
		len(v.held), v.requests, v.starts, v.conflicts, v.refetches, v.waiting, v.over, v.ended, v.cut, strings.Join(v.errors, "; "))
}
