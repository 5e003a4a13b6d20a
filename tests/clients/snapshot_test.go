package clients

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// snapshot: a client that starts gets what both tables have, and no more.
func snapshot(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	var runs []run
	both(func(table runid.Table) {
		for range 4 {
			w.insert(w.db, table, nil)
		}
		runs = append(runs, w.insert(w.db, table, row{"status": "EXECUTING"}))
		// What is not in the feeds: another tag and no batch, no tags, another
		// environment, too old.
		w.insert(w.db, table, row{"runTags": []string{"other"}, "batchId": nil})
		w.insert(w.db, table, row{"runTags": nil, "batchId": "another"})
		w.insert(w.db, table, row{"runtimeEnvironmentId": "another"})
		w.insert(w.db, table, row{"createdAt": time.Now().UTC().Add(-72 * time.Hour), "batchId": nil})
	})
	c.world = w
	c.start(w.url(), w.feeds(runs...)...)
	c.settle(c.feeds...)
	c.calm(c.feeds...)
}

// chunks: an upstream that cuts its shapes into small pieces, many on one side
// and few on the other, and ends a live answer in the midst of a burst.
func chunks(t *testing.T, c *crowd) {
	const chunkBytes, many, few = 10_000, 90, 12
	w := newWorld(t, chunkBytes)
	var runs []run
	for table, count := range map[runid.Table]int{runid.Legacy: many, runid.V2: few} {
		for range count {
			runs = append(runs, w.insert(w.db, table, nil))
		}
	}
	c.world = w
	c.start(w.url(), w.feeds()...)
	c.settle(c.feeds...)
	// One answer takes two chunks a side at the most.
	c.see(c.feeds[:1], "a start in several answers", func(_ client, v *view) bool { return v.requests > 3 })
	c.polling()
	for i, r := range runs {
		w.update(w.db, r, `metadata = $2, status = 'EXECUTING'`, fmt.Sprintf(`{"step":%d,"note":"%s"}`, i, strings.Repeat("long ", 100)))
		w.insert(w.db, runid.Tables()[i%2], nil)
	}
	c.settleThose(func(by client) bool { return !by.halves }, c.feeds...)
	c.step(func() { w.insert(w.db, runid.Legacy, nil) })
	c.calm(c.feeds...)
}
