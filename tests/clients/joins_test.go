package clients

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// joins: an environment that has runs in one table only gets its first ones in the
// other, more than one chunk of them at once. Who waits gets them as inserts, and
// starts over nowhere; who comes later has both tables from the beginning.
func joins(first runid.Table) func(*testing.T, *crowd) {
	return func(t *testing.T, c *crowd) {
		const chunkBytes, many = 10_000, 40
		w := newWorld(t, chunkBytes)
		other := runid.V2
		if first == runid.V2 {
			other = runid.Legacy
		}
		c.world = w
		for range 4 {
			w.insert(w.db, first, nil)
		}
		c.start(w.url(), w.feeds()...)
		c.settle(c.feeds...)
		var joined []run
		c.polling()
		c.transaction(func(tx pgx.Tx) {
			for range many {
				joined = append(joined, c.insert(tx, other, nil))
			}
		})
		c.settleThose(func(by client) bool { return !by.halves }, c.feeds...)
		c.step(func() { c.update(c.db, joined[0], `status = 'EXECUTING'`) })
		c.step(func() { c.insert(c.db, first, nil) })
		c.step(func() { c.delete(c.db, joined[1]) })
		c.calm(c.feeds...)
	}
}
