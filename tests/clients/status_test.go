package clients

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// statuses: runs go through a day's work. DEQUEUED is a status that clients know
// who say the API version; to all others such a run is EXECUTING, in a snapshot and
// live. The same word anywhere else in a row is left alone.
//
// PENDING_VERSION and TIMED_OUT are not written: laterStatuses has them.
func statuses(t *testing.T, c *crowd) {
	const decoy = `{"status":"DEQUEUED","value":{"status":"DEQUEUED"}}`
	w := newWorld(t, 0)
	both(func(table runid.Table) {
		w.insert(w.db, table, row{"status": "DEQUEUED"})
		w.insert(w.db, table, row{"status": "DEQUEUED", "payload": decoy, "taskIdentifier": "DEQUEUED"})
	})
	c.follow(w, w.url())

	// Those that are watched alone go last: the others' subscriptions end with them.
	day := []string{"PENDING", "DEQUEUED", "EXECUTING", "WAITING_TO_RESUME", "PAUSED", "DEQUEUED", "RETRYING_AFTER_FAILURE", "EXECUTING"}
	for _, status := range day {
		c.step(func() { // both tables at once
			c.transaction(func(tx pgx.Tx) {
				for _, r := range c.runs {
					c.update(tx, r, `status = $2::"TaskRunStatus", metadata = $3`, status, decoy)
				}
			})
		})
	}
	ends := []string{"WAITING_FOR_DEPLOY", "EXPIRED", "CANCELED", "INTERRUPTED", "COMPLETED_WITH_ERRORS", "SYSTEM_FAILURE", "CRASHED", "DEQUEUED"}
	c.step(func() {
		both(func(table runid.Table) {
			for i, status := range ends {
				c.insert(c.db, table, row{"status": status, "metadata": fmt.Sprintf(`{"end":%d}`, i)})
			}
		})
	})
	c.step(func() {
		for _, r := range c.runs {
			c.update(c.db, r, `status = 'COMPLETED_SUCCESSFULLY', "completedAt" = now(), output = $2`, decoy)
		}
	})
	c.calm(c.feeds...)
}

// laterStatuses: a run waits for a version of its task, works and takes too long;
// others come to that while nobody watches them alone. At PENDING_VERSION SDKs
// before 4 close the subscription with an error, at TIMED_OUT those before 3.3.17,
// on the platform too: they do not take part.
func laterStatuses(t *testing.T, c *crowd) {
	later := []string{"PENDING_VERSION", "TIMED_OUT"}
	w := newWorld(t, 0)
	both(func(table runid.Table) {
		for _, status := range later {
			w.insert(w.db, table, row{"status": status})
		}
	})
	c.follow(w, w.url())
	c.step(func() {
		both(func(table runid.Table) {
			for _, status := range later {
				c.insert(c.db, table, row{"status": status})
			}
		})
	})
	for _, status := range []string{"PENDING_VERSION", "EXECUTING"} {
		c.step(func() {
			c.transaction(func(tx pgx.Tx) {
				for _, r := range c.runs {
					c.update(tx, r, `status = $2::"TaskRunStatus"`, status)
				}
			})
		})
	}
	c.step(func() {
		for _, r := range c.runs {
			c.update(c.db, r, `status = 'TIMED_OUT', "completedAt" = now()`)
		}
	})
	c.calm(c.feeds...)
}
