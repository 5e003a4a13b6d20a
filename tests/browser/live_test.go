package browser

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// live: new runs of both tables appear, and the page follows runs of each from
// QUEUED through EXECUTING to COMPLETED, with their output. What one transaction
// writes to both tables, many runs at once, comes from both, and a run that fails
// is shown as failed.
func live(t *testing.T) {
	s := newScene(t)
	s.toTheEnd()
	var jobs []job
	s.step(func() {
		s.transaction(func(tx pgx.Tx) {
			for range 20 {
				both(func(table runid.Table) { jobs = append(jobs, s.insert(tx, table)) })
			}
		})
	})
	for _, j := range jobs[:2] {
		s.step(func() { s.fail(s.db, j) })
	}
	s.front.calm(0, 1)
}
