package clients

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// subject is a client at work: the scenarios change its world and see it follow.
type subject struct {
	*world
	*driver
	feeds []subscription
	seen  memory
	// runs are two that have a feed of their own, one a table, and bystanders
	// two that have not; all are in the tag and the batch.
	runs, bystanders []run
}

// follow fills a world, and has a client follow it at a URL until it waits for
// news in every feed.
func follow(t *testing.T, c client, w *world, url string) *subject {
	t.Helper()
	s := &subject{world: w, seen: memory{}}
	both(func(table runid.Table) {
		s.runs = append(s.runs, w.insert(w.db, table, nil))
		s.bystanders = append(s.bystanders, w.insert(w.db, table, nil))
	})
	s.feeds = w.feeds(s.runs...)
	s.driver = drive(t, c, url, s.feeds...)
	s.settle(s.feeds...)
	s.polling()
	return s
}

// settle waits until the client holds what the database has.
func (s *subject) settle(feeds ...subscription) {
	s.world.t.Helper()
	s.settled(s.driver, s.seen, feeds...)
}

// step writes while the client waits for news, and sees it follow.
func (s *subject) step(write func()) {
	s.world.t.Helper()
	s.polling()
	write()
	s.settle(s.feeds...)
}

// change writes something of each kind to each table, in statements of their
// own and in one transaction.
func (s *subject) change() {
	s.world.t.Helper()
	for i, r := range slices.Concat(s.runs, s.bystanders) {
		s.update(s.db, r, `status = 'EXECUTING', "startedAt" = now(), "usageDurationMs" = "usageDurationMs" + $2`, i+1)
	}
	both(func(table runid.Table) {
		s.insert(s.db, table, nil)
		gone := s.insert(s.db, table, nil)
		s.delete(s.db, gone)
	})
	s.transaction(func(tx pgx.Tx) {
		both(func(table runid.Table) { s.insert(tx, table, nil) })
	})
}

// live: every kind of change, in each table, comes to a client that waits.
func live(t *testing.T, c client) {
	w := newWorld(t, 0)
	s := follow(t, c, w, w.url())
	for i, table := range runid.Tables() {
		followed := s.runs[i]
		var r run
		s.step(func() { r = s.insert(s.db, table, nil) })
		s.step(func() {
			s.update(s.db, followed, `status = 'EXECUTING', "startedAt" = now(), metadata = '{"step":2,"of":["a"]}'`)
		})
		s.step(func() {
			s.update(s.db, followed, `status = 'COMPLETED_SUCCESSFULLY', "completedAt" = now(), output = '{"ok":true}', "usageDurationMs" = 1234, "costInCents" = 0.7`)
		})
		s.step(func() {
			s.update(s.db, r, `status = 'COMPLETED_WITH_ERRORS', "completedAt" = now(), error = $2`,
				map[string]any{"type": "BUILT_IN_ERROR", "name": "Error", "message": `no "receipt" {7}`, "stackTrace": "at send\n\tat run"})
		})
		s.step(func() { s.update(s.db, r, `"runTags" = NULL`) }) // leaves the tag, stays in the batch
		s.step(func() { s.update(s.db, r, `"runTags" = ARRAY['again', $2]`, s.tag) })
		s.step(func() { s.update(s.db, r, `"batchId" = NULL`) })
		outsider := s.insert(s.db, table, row{"runTags": []string{"other"}, "batchId": nil})
		s.step(func() {
			s.update(s.db, outsider, `"runTags" = "runTags" || $2::text, "batchId" = $3`, s.tag, s.batch.id)
		})
		s.step(func() { s.delete(s.db, s.bystanders[i]) })
	}
	s.calm(s.feeds...)

	// A run that is gone is not found when its feed asks again, and a 404 ends a
	// subscription: so it is on the platform.
	for _, r := range s.runs {
		s.polling()
		s.delete(s.db, r)
		s.settle(s.feeds[:2]...)
		s.see(r.friendly, "the end", func(v *view) bool { return slices.Equal(v.ended, []int{404}) && v.conflicts == 0 })
	}
	s.calm(s.feeds[:2]...)
}

// transactions: what was written to both tables as one arrives from both, in one
// answer or in two.
func transactions(t *testing.T, c client) {
	w := newWorld(t, 0)
	s := follow(t, c, w, w.url())
	s.step(func() {
		s.transaction(func(tx pgx.Tx) {
			both(func(table runid.Table) { s.insert(tx, table, nil) })
		})
	})
	s.step(func() {
		s.transaction(func(tx pgx.Tx) {
			for _, r := range s.runs {
				s.update(tx, r, `status = 'EXECUTING', metadata = '{"in":"one"}'`)
			}
		})
	})
	s.step(func() { // a run goes from one table to the other
		s.transaction(func(tx pgx.Tx) {
			s.delete(tx, s.bystanders[0])
			s.insert(tx, runid.V2, nil)
			s.update(tx, s.runs[0], `status = 'CANCELED', "completedAt" = now()`)
			s.update(tx, s.runs[1], `status = 'CANCELED', "completedAt" = now()`)
		})
	})
	s.calm(s.feeds...)
}
