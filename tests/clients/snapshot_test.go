package clients

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// snapshot: a client that starts gets what both tables have, and no more.
func snapshot(t *testing.T, c client) {
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
	feeds := w.feeds(runs...)
	d := drive(t, c, w.url(), feeds...)
	w.settled(d, memory{}, feeds...)
	d.calm(feeds...)
}

// chunks: an upstream that cuts its shapes into small pieces, many on one side
// and few on the other, and ends a live answer in the midst of a burst.
func chunks(t *testing.T, c client) {
	const chunkBytes, many, few = 10_000, 90, 12
	w := newWorld(t, chunkBytes)
	var runs []run
	for table, count := range map[runid.Table]int{runid.Legacy: many, runid.V2: few} {
		for range count {
			runs = append(runs, w.insert(w.db, table, nil))
		}
	}
	feeds := w.feeds()
	seen := memory{}
	d := drive(t, c, w.url(), feeds...)
	w.settled(d, seen, feeds...)
	// One answer takes two chunks a side at the most.
	d.see(w.tag, "a start in several answers", func(v *view) bool { return v.requests > 3 })
	d.polling()
	for i, r := range runs {
		w.update(w.db, r, `metadata = $2, status = 'EXECUTING'`, fmt.Sprintf(`{"step":%d,"note":"%s"}`, i, strings.Repeat("long ", 100)))
		w.insert(w.db, runid.Tables()[i%2], nil)
	}
	w.settled(d, seen, feeds...)
	d.calm(feeds...)
}
