package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// client is a library under test.
type client struct {
	name   string // npm's
	folder string // in node_modules, and what its driver imports
	script string // its driver
	sdk    bool   // it gives runs as the SDK makes them, not rows
}

// clients are those that every scenario is run with.
func clients() []client {
	return []client{
		{name: "@trigger.dev/sdk", folder: "@trigger.dev/sdk", script: "sdk.mjs", sdk: true},
		{name: "@electric-sql/client", folder: "electric-client-1.0", script: "shapestream.mjs"},
		{name: "@electric-sql/client", folder: "electric-client-1.5", script: "shapestream.mjs"},
	}
}

// subscription is a feed to follow, as drivers read it.
type subscription struct {
	Kind  string `json:"kind"` // tag, batch or run
	ID    string `json:"id"`   // of a run and a batch, the friendly one
	Token string `json:"token"`
	From  *place `json:"from,omitempty"`
}

// place is where a client was in a feed, and what it held: enough to go on.
type place struct {
	Handle string         `json:"handle"`
	Offset string         `json:"offset"`
	Rows   map[string]row `json:"rows"`
}

// row is a row or a run as a client holds it, in JSON's terms.
type row map[string]any

// event is a line of a driver.
type event struct {
	Event   string
	Feed    string
	Live    bool           // request, sent, response, no-response
	Offset  string         // request: asked at; up-to-date: the stream's last
	Status  int            // response
	Code    string         // no-response
	Handle  string         // up-to-date
	Rows    map[string]row // up-to-date: those that changed; nil for one that is gone
	Run     row
	Message string // error
}

// view is what a client has shown of one feed.
type view struct {
	held      map[string]row // by message key, with the SDK by friendly id; nil: nothing was said yet
	place     place          // of a ShapeStream that is up to date
	waiting   bool           // a live request has left for the gateway
	starts    int            // requests from offset -1
	requests  int
	conflicts int      // answers of 409
	refetches int      // must-refetch messages
	ended     []int    // other statuses of 400 and more, 503 excepted
	cut       []string // codes of requests that got no answer
	errors    []string // given to the application
}

// driver is a client that is running.
type driver struct {
	*child
	t      testing.TB
	client client

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every event
	feeds   map[string]*view
	fault   string // the driver itself went wrong, or something was printed
}

// drive starts a client on feeds of a gateway. Whatever the client prints by
// itself, a warning above all, fails the test.
func drive(t testing.TB, c client, url string, feeds ...subscription) *driver {
	t.Helper()
	spec, err := json.Marshal(map[string]any{"client": c.folder, "url": url, "feeds": feeds})
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, client: c, changed: make(chan struct{}), feeds: make(map[string]*view)}
	for _, f := range feeds {
		v := &view{}
		if c.sdk { // it says nothing of a feed without runs
			v.held = make(map[string]row)
		}
		if f.From != nil {
			v.held = maps.Clone(f.From.Rows)
		}
		d.feeds[f.ID] = v
	}
	d.child = startChild(t, c.script, exec.Command("node", c.script, string(spec)), d.read, d.complain)
	t.Cleanup(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.fault != "" {
			t.Errorf("%s %s", c.script, d.fault)
		}
	})
	return d
}

func (d *driver) read(line []byte) {
	var e event
	err := json.Unmarshal(line, &e)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch v := d.feeds[e.Feed]; {
	case err != nil || v == nil:
		d.fault = fmt.Sprintf("printed %q", line)
	default:
		v.apply(e)
	}
	d.announce()
}

func (d *driver) complain(line []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fmt.Sprintf("printed to the console: %s", line)
	d.announce()
}

func (d *driver) announce() {
	close(d.changed)
	d.changed = make(chan struct{})
}

func (v *view) apply(e event) {
	switch e.Event {
	case "request":
		v.requests++
		v.waiting = false
		if e.Offset == "-1" {
			v.starts++
		}
	case "sent":
		v.waiting = e.Live
	case "response":
		v.waiting = v.waiting && !e.Live
		switch {
		case e.Status == 409:
			v.conflicts++
		case e.Status >= 400 && e.Status != 503:
			v.ended = append(v.ended, e.Status)
		}
	case "no-response":
		v.waiting = v.waiting && !e.Live
		v.cut = append(v.cut, e.Code)
	case "must-refetch":
		v.refetches++
	case "up-to-date":
		if v.held == nil {
			v.held = make(map[string]row)
		}
		for key, r := range e.Rows {
			if v.held[key] = r; r == nil {
				delete(v.held, key)
			}
		}
		v.place = place{e.Handle, e.Offset, v.held}
	case "run":
		id, _ := e.Run["id"].(string)
		v.held[id] = e.Run
	case "error":
		v.errors = append(v.errors, e.Message)
	}
}

// await waits until ok, and fails the test with what there is instead if that
// takes too long or the client ends. Both functions run under the lock.
func (d *driver) await(what string, ok func() bool, instead func() string) {
	d.t.Helper()
	late := time.After(patience)
	for {
		d.mu.Lock()
		reached, changed, fault := ok(), d.changed, d.fault
		d.mu.Unlock()
		switch {
		case fault != "":
			d.t.Fatalf("waiting for %s: %s %s", what, d.client.script, fault)
		case reached:
			return
		}
		select {
		case <-changed:
			continue
		case <-d.done:
		case <-late:
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if ok() {
			return
		}
		d.t.Fatalf("%s did not come, in %s or before the client ended: %s", what, patience, instead())
	}
}

// see waits until a feed is seen so.
func (d *driver) see(feed, what string, ok func(*view) bool) {
	d.t.Helper()
	v := d.feeds[feed]
	d.await(what+" of "+feed, func() bool { return ok(v) }, v.String)
}

// polling waits until the client waits for news in every feed that has not ended.
func (d *driver) polling() {
	d.t.Helper()
	for feed := range d.feeds {
		d.see(feed, "a held poll", func(v *view) bool { return v.waiting || len(v.ended) > 0 })
	}
}

// String is all but the rows.
func (v *view) String() string {
	return fmt.Sprintf("%d rows held, %d requests, %d starts, %d conflicts, %d must-refetches, waiting %t, ended by %v, cut %v, errors [%s]",
		len(v.held), v.requests, v.starts, v.conflicts, v.refetches, v.waiting, v.ended, v.cut, strings.Join(v.errors, "; "))
}

// calm fails the test if a feed was started over or the application was given an
// error.
func (d *driver) calm(feeds ...subscription) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range feeds {
		if v := d.feeds[s.ID]; v.conflicts+v.refetches+len(v.ended)+len(v.errors) > 0 {
			d.t.Errorf("the %s %s: %v", s.Kind, s.ID, v)
		}
	}
}
