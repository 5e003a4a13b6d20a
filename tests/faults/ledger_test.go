package faults

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// ledger is when the upstream was asked for which shape.
type ledger struct {
	mu    sync.Mutex
	asked map[shape][]*call
}

// call is one request.
type call struct {
	at time.Time // when it had leave

	mu     sync.Mutex
	ok     bool      // it was answered, and so far nothing is wrong with that
	failed time.Time // when it was known that something is
}

func (c *call) end(ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ok = ok; !ok && c.failed.IsZero() {
		c.failed = time.Now()
	}
}

// shape is one of the upstream's.
type shape struct {
	query string
	table runid.Table
}

// shapeOf is the definition in a request for a shape, or "", and its table.
func shapeOf(u *url.URL) (definition string, table runid.Table) {
	q := u.Query()
	for _, t := range runid.Tables() {
		if strings.Contains(q.Get("table"), t.Name()) {
			table = t
		}
	}
	if u.Path != "/v1/shape" {
		return "", table
	}
	for _, place := range []string{"offset", "handle", "live"} {
		q.Del(place)
	}
	return q.Encode(), table
}

func (l *ledger) note(definition string, table runid.Table, at time.Time) *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == nil {
		l.asked = make(map[shape][]*call)
	}
	s, c := shape{definition, table}, &call{at: at}
	l.asked[s] = append(l.asked[s], c)
	return c
}

// answered takes in what becomes of it, and watches the answer.
func (c *call) answered(response *http.Response, err error) {
	c.end(err == nil && response.StatusCode < http.StatusInternalServerError)
	if err == nil {
		response.Body = &watched{response.Body, c}
	}
}

// watched is a body that may break off.
type watched struct {
	io.ReadCloser
	call *call
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		w.call.end(false)
	}
	return n, err
}

// inVain are the requests about tables between two moments that were not answered, or not
// well, by shape. Those that were on their way when the first of its shape failed are left
// out: nobody knew.
func (l *ledger) inVain(tables []runid.Table, from, to time.Time) map[shape][]attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[shape][]attempt)
	for s, all := range l.asked {
		if !slices.Contains(tables, s.table) {
			continue
		}
		known := to
		for _, c := range all {
			if failed := c.failedAt(); failed.After(from) && failed.Before(known) {
				known = failed
			}
		}
		last := known
		for _, c := range all {
			c.mu.Lock()
			if c.at.After(known) && c.at.Before(to) && !c.ok {
				a := attempt{at: c.at, rest: c.at.Sub(last), left: c.at.Sub(known) < onItsWay}
				if out[s] = append(out[s], a); !a.left {
					last = c.failed
				}
			}
			c.mu.Unlock()
		}
	}
	return out
}

// attempt is a request in vain.
type attempt struct {
	at   time.Time
	rest time.Duration // since the one before had failed
	left bool          // it may have had leave before anybody knew
}

// onItsWay is how long it may take from a failure on the wire until those who give leave know of it.
const onItsWay = 250 * time.Millisecond

func (c *call) failedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// perSecond is how many requests there may be in a second for a shape that fails.
const perSecond = 2

// tooMany finds a time in which there were more requests than perSecond for each second that
// it touches. Those that had leave before anybody knew are not counted.
func tooMany(all []attempt) (count int, within time.Duration) {
	knew := slices.DeleteFunc(slices.Clone(all), func(a attempt) bool { return a.left })
	for i, first := range knew {
		for j := i; j < len(knew); j++ {
			count, within = j-i+1, knew[j].at.Sub(first.at)
			if count > perSecond*(1+int(within/time.Second)) {
				return count, within
			}
		}
	}
	return 0, 0
}

// String is what tells it from others.
func (s shape) String() string {
	q, _ := url.ParseQuery(s.query)
	return fmt.Sprintf("%s where %s %v", s.table, q.Get("where"), q["params[2]"])
}
