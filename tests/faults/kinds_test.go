package faults

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// fault is a way for the upstream to fail.
type fault struct {
	name string
	// silent: nothing of a side that has it comes through, not even what was held.
	silent bool
	// streams: a snapshot's first half comes through.
	streams bool
	// rest is how long the upstream asks to be left alone.
	rest time.Duration
	// begin has sides fail, and returns what ends it.
	begin func(w *world, sides []*side) (end func())
}

// refused has nobody listen.
var refused = fault{name: "refused", silent: true, begin: func(_ *world, sides []*side) func() {
	for _, s := range sides {
		s.refuse()
	}
	return func() {
		for _, s := range sides {
			s.accept()
		}
	}
}}

// toxic is a fault of the wire.
func toxic(name string, silent bool, poison func(*side)) fault {
	return fault{name: name, silent: silent, begin: func(_ *world, sides []*side) func() {
		for _, s := range sides {
			poison(s)
		}
		return func() {
			for _, s := range sides {
				s.cure()
			}
		}
	}}
}

// reset has connections reset by a request, and those that are held by their answer's first
// byte.
var reset = toxic("reset before the head", true, func(s *side) {
	s.poison("upstream", "reset_peer", `"timeout":0`)
	s.poison("downstream", "reset_peer", `"timeout":0`)
})

// cutShort breaks live answers off in their bodies, whose heads have about 600 bytes.
var cutShort = toxic("cut in a live body", false, func(s *side) { s.poison("downstream", "limit_data", `"bytes":900`) })

// cutLong breaks snapshots off that are streamed, when clients have read half a megabyte of
// them already.
var cutLong = streaming(toxic("cut in a snapshot", false, func(s *side) { s.poison("downstream", "limit_data", `"bytes":700000`) }))

func streaming(f fault) fault {
	f.streams = true
	return f
}

// slow lets 1 KB/s pass on each connection.
var slow = toxic("1 KB/s", false, func(s *side) { s.poison("downstream", "bandwidth", `"rate":1`) })

// halfOpen swallows what either end sends, and says nothing.
var halfOpen = toxic("half-open", true, func(s *side) {
	s.poison("upstream", "timeout", `"timeout":0`)
	s.poison("downstream", "timeout", `"timeout":0`)
})

// status has every request answered with it, also those that are held when their answer
// comes, and with a Retry-After, if it is not 0.
func status(code int, rest time.Duration) fault {
	return fault{name: strconv.Itoa(code), silent: true, rest: rest, begin: func(w *world, sides []*side) func() {
		struck := func(r *http.Request) bool {
			for _, s := range sides {
				if strings.Contains(r.URL.Query().Get("table"), s.table.Name()) {
					return true
				}
			}
			return false
		}
		after := func(h http.Header) {
			if rest > 0 {
				h.Set("Retry-After", strconv.Itoa(int(rest/time.Second)))
			}
		}
		w.front.Edit(func(a *upstream.Answer) {
			if struck(a.Request) {
				a.Status, a.Body = code, []byte(`{"message":"no"}`)
				after(a.Header)
			}
		})
		w.front.Instead(func(rw http.ResponseWriter, r *http.Request) bool {
			if !struck(r) {
				return false
			}
			after(rw.Header())
			rw.WriteHeader(code)
			return true
		})
		return func() {
			w.front.Instead(nil)
			w.front.Edit(nil)
		}
	}}
}

// restarted stops the server and starts it again with its handles and logs.
var restarted = fault{name: "restarted", silent: true, begin: func(w *world, _ []*side) func() {
	w.front.Stop()
	return w.front.Start
}}

// outage is a fault of one side or both for a while.
type outage struct {
	fault
	sides []runid.Table
	lasts time.Duration
}

func (o outage) String() string {
	who := "both sides"
	if len(o.sides) == 1 {
		who = o.sides[0].String()
	}
	return strings.ToLower(o.name) + ", " + who + ", " + o.lasts.String()
}

// outages are what the clients have to live through: some, or, for long, every fault on every
// side for every time.
func outages(long bool) []outage {
	both, legacy, v2 := []runid.Table{runid.Legacy, runid.V2}, []runid.Table{runid.Legacy}, []runid.Table{runid.V2}
	const short, middle, minute = time.Second, 10 * time.Second, time.Minute
	unavailable := status(http.StatusServiceUnavailable, time.Second)
	all := []outage{
		{refused, both, short},
		{refused, v2, short},
		{reset, legacy, short},
		{reset, both, short},
		{cutShort, both, short},
		{cutLong, v2, short},
		{slow, both, short},
		{status(http.StatusInternalServerError, 0), v2, short},
		{status(http.StatusBadGateway, 0), both, short},
		{unavailable, legacy, short},
		{halfOpen, both, short},
		{restarted, both, short},
		{halfOpen, v2, middle},
		{status(http.StatusInternalServerError, 0), both, middle},
	}
	if !long {
		return all
	}
	all = nil
	for _, lasts := range []time.Duration{short, middle, minute} {
		for _, f := range []fault{refused, reset, cutShort, cutLong, slow, halfOpen, status(http.StatusInternalServerError, 0), status(http.StatusBadGateway, 0), unavailable} {
			for _, sides := range [][]runid.Table{both, legacy, v2} {
				all = append(all, outage{f, sides, lasts})
			}
		}
		all = append(all, outage{restarted, both, lasts})
	}
	return all
}
