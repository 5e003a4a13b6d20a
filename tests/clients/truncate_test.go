package clients

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// truncation: a table is emptied. Each feed that reads it is told so once, by one
// 409, and is whole afterwards; a feed of the other table alone is left in peace.
func truncation(table runid.Table) func(*testing.T, client) {
	return func(t *testing.T, c client) {
		w := newWorld(t, 0)
		s := follow(t, c, w, w.url())
		tag, batch := s.feeds[0], s.feeds[1]
		hit, spared := s.runs[0], s.runs[1]
		if hit.table != table {
			hit, spared = spared, hit
		}
		refetched := func(r subscription, times int) {
			t.Helper()
			s.see(r.ID, "must-refetches", func(v *view) bool {
				return v.conflicts == times && (c.sdk || v.refetches == times)
			})
		}
		more := func() { both(func(table runid.Table) { s.insert(s.db, table, nil) }) }

		// One run is made again at once, so that its feed has something to be
		// whole with.
		s.step(func() {
			s.transaction(func(tx pgx.Tx) {
				s.exec(tx, "TRUNCATE "+tables[table])
				s.insert(tx, table, row{"id": hit.id, "friendlyId": hit.friendly, "taskIdentifier": "made-again"})
			})
		})
		s.step(more)
		s.step(func() { s.update(s.db, hit, `status = 'EXECUTING'`) })
		for _, f := range []subscription{tag, batch, s.runFeed(hit)} {
			refetched(f, 1)
		}
		s.calm(s.runFeed(spared))

		rest := []subscription{tag, batch, s.runFeed(spared)}
		s.polling()
		s.exec(s.db, "TRUNCATE "+tables[table])
		s.settle(rest...)
		more()
		s.settle(rest...)
		refetched(tag, 2)
		refetched(batch, 2)
		s.calm(s.runFeed(spared))
		// And a run that is gone is not found when it is asked for again.
		s.see(hit.friendly, "the end", func(v *view) bool { return v.conflicts <= 2 && slices.Equal(v.ended, []int{404}) })
	}
}
