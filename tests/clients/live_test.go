package clients

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// live: every kind of change, in each table, comes to a client that waits.
func live(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	c.follow(w, w.url())
	for i, table := range runid.Tables() {
		followed := c.runs[i]
		var r run
		c.step(func() { r = c.insert(c.db, table, nil) })
		c.step(func() {
			c.update(c.db, followed, `status = 'EXECUTING', "startedAt" = now(), metadata = '{"step":2,"of":["a"]}'`)
		})
		c.step(func() {
			c.update(c.db, followed, `status = 'COMPLETED_SUCCESSFULLY', "completedAt" = now(), output = '{"ok":true}', "usageDurationMs" = 1234, "costInCents" = 0.7`)
		})
		c.step(func() {
			c.update(c.db, r, `status = 'COMPLETED_WITH_ERRORS', "completedAt" = now(), error = $2`,
				map[string]any{"type": "BUILT_IN_ERROR", "name": "Error", "message": `no "receipt" {7}`, "stackTrace": "at send\n\tat run"})
		})
		c.step(func() { c.update(c.db, r, `"runTags" = NULL`) }) // leaves the tag, stays in the batch
		c.step(func() { c.update(c.db, r, `"runTags" = ARRAY['again', $2]`, c.tag) })
		c.step(func() { c.update(c.db, r, `"batchId" = NULL`) })
		outsider := c.insert(c.db, table, row{"runTags": []string{"other"}, "batchId": nil})
		c.step(func() {
			c.update(c.db, outsider, `"runTags" = "runTags" || $2::text, "batchId" = $3`, c.tag, c.batch.id)
		})
		c.step(func() { c.delete(c.db, c.bystanders[i]) })
	}
	c.calm(c.feeds...)

	// A run that is gone is not found when its feed asks again, and a 404 ends a
	// subscription: so it is on the platform. Some ended it themselves, with the run.
	for _, r := range c.runs {
		c.polling()
		c.delete(c.db, r)
		c.settle(c.feeds[:2]...)
		c.see([]subscription{c.runFeed(r)}, "the end", func(by client, v *view) bool {
			return (v.over == by.stops) && (by.stops || slices.Equal(v.ended, []int{404})) && v.conflicts == 0
		})
	}
	c.calm(c.feeds[:2]...)
}

// transactions: what was written to both tables as one arrives from both, in one
// answer or in two, and its messages say which transaction it was.
func transactions(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	c.follow(w, w.url())
	lists := c.feeds[:2]
	var id int64
	var wrote []run

	c.step(func() {
		id = c.transaction(func(tx pgx.Tx) {
			both(func(table runid.Table) { wrote = append(wrote, c.insert(tx, table, nil)) })
		})
		c.awaitTransaction(id, lists...)
	})
	c.named(id, wrote, lists...)

	c.step(func() {
		id = c.transaction(func(tx pgx.Tx) {
			for _, r := range c.runs {
				c.update(tx, r, `status = 'EXECUTING', metadata = '{"in":"one"}'`)
			}
		})
		c.awaitTransaction(id, c.feeds...)
	})
	c.named(id, c.runs, lists...)

	c.step(func() { // a run goes from one table to the other
		id = c.transaction(func(tx pgx.Tx) {
			c.delete(tx, c.bystanders[0])
			wrote = []run{c.insert(tx, runid.V2, nil), c.runs[0], c.runs[1]}
			c.update(tx, c.runs[0], `status = 'CANCELED', "completedAt" = now()`)
			c.update(tx, c.runs[1], `status = 'CANCELED', "completedAt" = now()`)
		})
		c.awaitTransaction(id, c.feeds...)
	})
	c.named(id, wrote, lists...)
	c.calm(c.feeds...)
}

// awaitTransaction has the collections wait for a transaction, as an application
// does that has just written something optimistically. It returns when all have it.
func (c *crowd) awaitTransaction(id int64, feeds ...subscription) {
	c.t.Helper()
	c.each(func(m *member) error {
		if m.form != rowsByID {
			return nil
		}
		for _, f := range feeds {
			if err := m.tell(map[string]any{"do": "await", "feed": f.ID, "txid": id}); err != nil {
				return err
			}
		}
		for _, f := range feeds {
			if err := m.see(f.ID, "the transaction", func(v *view) bool { return v.awaited[id] }); err != nil {
				return err
			}
		}
		return nil
	})
}

// named makes sure that the last messages about runs named a transaction.
func (c *crowd) named(id int64, runs []run, feeds ...subscription) {
	c.t.Helper()
	c.check(feeds, fmt.Sprintf("rows that name the transaction %d", id), func(by client, v *view) bool {
		return by.form != rowsByKey || !slices.ContainsFunc(runs, func(r run) bool {
			return !slices.Equal(v.txids[key(r.table, r.id)], []int64{id})
		})
	})
}
