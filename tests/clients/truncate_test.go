package clients

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// truncation: a table is emptied. Each feed that reads it is told so once, by one
// 409, and is whole afterwards; a feed of the other table alone is left in peace.
func truncation(table runid.Table) func(*testing.T, *crowd) {
	return func(t *testing.T, c *crowd) {
		w := newWorld(t, 0)
		c.follow(w, w.url())
		tag, batch := c.feeds[0], c.feeds[1]
		hit, spared := c.runs[0], c.runs[1]
		if hit.table != table {
			hit, spared = spared, hit
		}
		refetched := func(times int, feeds ...subscription) {
			t.Helper()
			c.see(feeds, "must-refetches", func(by client, v *view) bool {
				return v.conflicts == times && (by.form != rowsByKey || v.refetches == times)
			})
		}
		more := func() { both(func(table runid.Table) { c.insert(c.db, table, nil) }) }

		// One run is made again at once, so that its feed has something to be
		// whole with. It has its payload again: SDKs before 4.0.5 read that once and
		// then remember it.
		payload := c.wanted(c.runFeed(hit))[key(table, hit.id)]["payload"]
		c.step(func() {
			c.transaction(func(tx pgx.Tx) {
				c.exec(tx, "TRUNCATE "+tables[table])
				c.insert(tx, table, row{"id": hit.id, "friendlyId": hit.friendly, "taskIdentifier": "made-again", "payload": payload})
			})
		})
		c.step(more)
		c.step(func() { c.update(c.db, hit, `status = 'EXECUTING'`) })
		refetched(1, tag, batch, c.runFeed(hit))
		c.calm(c.runFeed(spared))

		rest := []subscription{tag, batch, c.runFeed(spared)}
		c.polling()
		c.exec(c.db, "TRUNCATE "+tables[table])
		c.settle(rest...)
		more()
		c.settle(rest...)
		refetched(2, tag, batch)
		c.calm(c.runFeed(spared))
		// And a run that is gone is not found when it is asked for again.
		c.see([]subscription{c.runFeed(hit)}, "the end", func(_ client, v *view) bool {
			return v.conflicts <= 2 && slices.Equal(v.ended, []int{404})
		})
	}
}
