package blackbox

import (
	"testing"
)

// A handle that was given up never comes back, and a client that starts over
// with that of a 409 gets it all again.
func TestAnExpiredHandleIsNeverAnswered(t *testing.T) {
	w := quick(t)
	for feed, path := range w.ours.feeds() {
		at := w.inLog(path, w.ours)
		expired := at.header.Get("Electric-Handle")
		for _, query := range []string{
			"offset=-1&expired_handle=" + expired, "offset=-1&handle=" + expired + "&expired_handle=" + expired,
			at.place("expired_handle", expired), at.place("expired_handle", expired, "live", "true"), "offset=1_0&handle=" + expired + "&expired_handle=" + expired,
		} {
			if got := w.get(with(path, query), w.ours.key); got.header.Get("Electric-Handle") == expired || got.header.Get("Electric-Handle") == "" {
				t.Errorf("%s ?%.30s: %d has the expired handle", feed, query, got.status)
			}
		}
		fresh := w.fresh(path, w.ours.key).header.Get("Electric-Handle")
		if other := w.fresh(path, w.ours.token("read:runs")).header.Get("Electric-Handle"); other != fresh {
			t.Errorf("%s: fresh clients have %s and %s", feed, fresh, other)
		}
		if got := w.get(with(path, "offset=-1&expired_handle="+fresh), w.ours.key); got.header.Get("Electric-Handle") == fresh {
			t.Errorf("%s: a fresh client has the expired handle", feed)
		}
		refetch := w.get(with(path, "offset=1_0&handle=x"), w.ours.key).header.Get("Electric-Handle")
		again := w.get(with(path, "offset=-1&handle="+refetch+"&expired_handle=x"), w.ours.key)
		if again.status != 200 || len(again.ids(t)) == 0 {
			t.Errorf("%s, over: %d %s", feed, again.status, again.body)
		}
	}
}
