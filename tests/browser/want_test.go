package browser

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// dated is a row with what the hooks order rows by.
type dated struct {
	row
	createdAt time.Time
}

// words are the hooks' for what is in the status column.
var words = map[string]string{
	"PENDING": "QUEUED", "EXECUTING": "EXECUTING", "COMPLETED_SUCCESSFULLY": "COMPLETED", "COMPLETED_WITH_ERRORS": "FAILED",
}

// select are the rows of a feed as both tables have them now, oldest first.
func (w *world) selected(feed string) []dated {
	w.t.Helper()
	const from = `SELECT "friendlyId", "taskIdentifier", status::text, coalesce(output, ''), "createdAt" FROM %s
		WHERE "runtimeEnvironmentId" = $1 AND ($2 = ANY ("runTags") OR "friendlyId" = $2 OR "batchId" = (SELECT id FROM "BatchTaskRun" WHERE "friendlyId" = $2))`
	rows, err := w.db.Query(w.t.Context(), fmt.Sprintf(from+` UNION ALL `+from+` ORDER BY "createdAt"`, `"TaskRun"`, `task_run_v2`), w.demo.EnvironmentID, feed)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (d dated, err error) {
		var status string
		err = r.Scan(&d.ID, &d.Task, &status, &d.Output, &d.createdAt)
		d.Status = words[status]
		return d, err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// settle waits until the page shows what the database has now, in every feed or
// in those that are named, and besides what it showed before of runs that are
// gone since.
func (s *scene) settle(t *tab, feeds ...string) {
	s.world.t.Helper()
	if len(feeds) == 0 {
		feeds = t.spec.feeds()
	}
	for _, feed := range feeds {
		all := s.selected(feed)
		for _, k := range t.kept[feed] {
			if !slices.ContainsFunc(all, func(d dated) bool { return d.ID == k.ID }) {
				all = append(all, k)
			}
		}
		slices.SortFunc(all, func(a, b dated) int { return a.createdAt.Compare(b.createdAt) })
		t.kept[feed] = all
		want := make([]row, 0, len(all))
		for _, d := range all {
			want = append(want, d.row)
		}
		t.await("the rows of "+feed,
			func() bool { f, shown := t.feeds[feed]; return shown && slices.Equal(f.Rows, want) },
			func() string { return fmt.Sprintf("%v\n%s", t, cmp.Diff(want, t.feeds[feed].Rows)) })
	}
}
