package clients

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// notLate is shorter than what is left of a hold, of 17 s at the least, of clients that have
// just begun to wait.
const notLate = 12 * time.Second

// TestElectricsWays puts clients of three kinds, Electric's with a Shape too, before an upstream that does what Electric
// does now and then: it skips the row that closes a chunk of its log, tells a
// transaction in parts, is restarted, and calls itself up to date before it has
// caught up. They hold every row, and none starts over.
func TestElectricsWays(t *testing.T) {
	var few []client
	for _, c := range chosen(t) {
		if c.module == latestSDK || c.name == electricClient && (c.version == "1.0.14" || c.version == "1.5.28") {
			few = append(few, c)
			if c.name == electricClient && !c.sse {
				c.shape = true
				few = append(few, c)
			}
		}
	}
	if len(few) == 0 {
		t.Logf("none of them was chosen")
		return
	}
	c := newCrowd(t, "Electric's ways", newTable(few))
	var front *upstream.Front
	var behind upstream.Behind
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	w := newWorldOn(newStackBehind(t, 0, func(url string) string {
		front = upstream.New(t, transport, url)
		front.Edit(behind.Learn)
		return front.URL()
	}, "the upstream answers for no shape: it is asked now and then until it does"))
	c.follow(w, w.url())

	var skipped, parts atomic.Int32
	front.Edit(func(a *upstream.Answer) {
		behind.Learn(a)
		if upstream.SkipTheLast(a) {
			skipped.Add(1)
		}
		if upstream.NotUpToDate(a) {
			parts.Add(1)
		}
	})
	burst := func() {
		c.transaction(func(tx pgx.Tx) {
			both(func(table runid.Table) {
				for range 3 {
					w.insert(tx, table, nil)
				}
			})
		})
	}
	for range 2 {
		c.polling()
		burst()
		began := time.Now()
		c.settle(c.feeds...)
		if took := time.Since(began); took > notLate {
			t.Errorf("rows took %v: somebody waited for the end of a hold", took)
		}
	}
	if skipped.Load() == 0 || parts.Load() == 0 {
		t.Errorf("%d rows were skipped, %d transactions told in parts", skipped.Load(), parts.Load())
	}

	front.Edit(behind.Learn)
	c.polling()
	front.Stop()
	burst()
	front.Instead(behind.Answer)
	front.Start()
	behind.Await(t, 8) // more than there are shapes
	burst()
	behind.CatchUp()
	c.settle(c.feeds...)
	c.step(burst)
	c.calm(c.feeds...)
	c.finished = !slices.ContainsFunc(c.members, func(m *member) bool { return m.lost })
}
