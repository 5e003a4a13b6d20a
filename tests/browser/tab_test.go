package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// event is a line of the driver.
type event struct {
	Event, Tab, ID, URL, Text, Source, Level string

	Method  string
	Headers map[string]string
	Status  int
	Hidden  bool
	Feeds   map[string]rendered
}

// row is a run as the page renders it.
type row struct{ ID, Task, Status, Output string }

// rendered is a feed as the page renders it.
type rendered struct {
	Rows  []row
	Error string
}

// request is one that a page sent to the gateway.
type request struct {
	url                             string
	feed                            string
	live                            bool
	offset, handle, cursor, expired string

	headers map[string]string

	sent   bool // it has left the browser, its preflight is over
	status int
	failed string // why there was no answer
	outage bool   // the gateway was down at some time of it
}

func (r *request) answered() bool { return r.status != 0 || r.failed != "" }

// note is a console message.
type note struct{ Source, Level, Text, URL, request string }

// tab is a page of the tests, and what is known of it.
type tab struct {
	*browser
	name string

	// kept is what the page showed when it was last compared. The hooks never
	// drop a run that is gone.
	kept map[string][]dated

	// under the bell
	hidden     bool
	feeds      map[string]rendered
	states     map[string]map[string][]string // by feed and run, each status that was rendered
	asked      map[string]*request            // by the browser's id, those to others as well
	requests   []*request                     // to the gateway, in order
	preflights []*request
	notes      []note
	answers    []int // statuses of 400 and more that the scenario wants
}

// forget is for a page that is new.
func (t *tab) forget() {
	t.kept = make(map[string][]dated)
	t.states = make(map[string]map[string][]string)
	t.feeds = nil
}

func (b *browser) apply(e event) {
	if e.Event == "done" {
		b.done++
		return
	}
	t := b.tabs[e.Tab]
	switch e.Event {
	case "page":
		t.hidden, t.feeds = e.Hidden, e.Feeds
		t.remember()
	case "request":
		r := t.request(e.ID)
		u, err := url.Parse(e.URL)
		if err != nil || "http://"+u.Host != b.spec.Auth.BaseURL {
			return
		}
		q := u.Query()
		r.url = e.URL
		r.feed = q.Get("tags")
		if r.feed == "" {
			r.feed = path.Base(u.Path)
		}
		r.live, r.offset, r.handle, r.cursor, r.expired = q.Get("live") == "true", q.Get("offset"), q.Get("handle"), q.Get("cursor"), q.Get("expired_handle")
		r.outage = b.outage
		if e.Method == http.MethodOptions {
			r.headers = e.Headers // those of the others hold the token
			t.preflights = append(t.preflights, r)
		} else {
			t.requests = append(t.requests, r)
		}
	case "sent":
		t.request(e.ID).sent = true
	case "response":
		t.request(e.ID).status = e.Status
	case "failed":
		t.request(e.ID).failed = e.Text
	case "console":
		t.notes = append(t.notes, note{e.Source, e.Level, e.Text, e.URL, e.ID})
	default:
		b.fault += fmt.Sprintf("an event %q\n", e.Event)
	}
}

// request is the one of an id. Its events come in any order.
func (t *tab) request(id string) *request {
	if t.asked[id] == nil {
		t.asked[id] = &request{}
	}
	return t.asked[id]
}

// remember adds what is new to states.
func (t *tab) remember() {
	for name, f := range t.feeds {
		if t.states[name] == nil {
			t.states[name] = make(map[string][]string)
		}
		for _, r := range f.Rows {
			if s := t.states[name][r.ID]; len(s) == 0 || s[len(s)-1] != r.Status {
				t.states[name][r.ID] = append(s, r.Status)
			}
		}
	}
}

// lost are Chromium's words for a request whose server is not there, or is killed
// before the request is sent, meanwhile, or while it is held.
var lost = []string{
	"net::ERR_CONNECTION_REFUSED", "net::ERR_SOCKET_NOT_CONNECTED", "net::ERR_CONNECTION_RESET",
	"net::ERR_CONNECTION_CLOSED", "net::ERR_EMPTY_RESPONSE",
}

// excuses says whether a note is Chromium's own line for a request that failed as
// it should.
func (t *tab) excuses(n note) bool {
	r := t.asked[n.request]
	if r == nil || n.Source != "network" || n.Level != "error" {
		return false
	}
	if r.outage && slices.Contains(lost, r.failed) {
		return n.Text == "Failed to load resource: "+r.failed
	}
	return slices.Contains(t.answers, r.status) &&
		n.Text == fmt.Sprintf("Failed to load resource: the server responded with a status of %d (%s)", r.status, http.StatusText(r.status))
}

// of are the requests for a feed, from the n-th of all on.
func (t *tab) of(feed string, n int) []*request {
	var out []*request
	for _, r := range t.requests[n:] {
		if r.feed == feed {
			out = append(out, r)
		}
	}
	return out
}

// String is what is known of the page: what it renders, and the last requests.
func (t *tab) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "tab %s, hidden %t\n", t.name, t.hidden)
	for name, f := range t.feeds {
		fmt.Fprintf(&text, "%s: error %q, %d rows\n", name, f.Error, len(f.Rows))
	}
	for _, r := range t.requests[max(0, len(t.requests)-12):] {
		fmt.Fprintf(&text, "%+v\n", *r)
	}
	notes, _ := json.Marshal(t.notes)
	fmt.Fprintf(&text, "console: %s", notes)
	return text.String()
}
