package platform_test

import (
	"net/http"
	"strings"
	"testing"
)

// The batch of a run is shown, and those of its relatives, if it is there in the
// environment: an id that leads nowhere, or abroad, is not.
func TestWhoseBatch(t *testing.T) {
	w := newWorld(t)
	var ids [3]string
	for i, foreign := range []bool{false, true, false} {
		ids[i] = w.batch(object{"runCount": 1}).ID
		if foreign {
			w.exec(`UPDATE "BatchTaskRun" SET "runtimeEnvironmentId" = 'theirs' WHERE "friendlyId" = '` + ids[i] + `'`)
		}
	}
	w.exec(`DELETE FROM "BatchTaskRun" WHERE "friendlyId" = '` + ids[2] + `'`)
	parent := w.trigger("task", nil)
	w.v2.Store(true)
	run := w.trigger("task", object{"parentRunId": parent})
	w.v2.Store(false)
	w.trigger("task", object{"parentRunId": run})
	w.trigger("task", object{"parentRunId": run})
	type member struct{ BatchID *string }
	for i, want := range []int{5, 0, 0} { // the run, its parent, which is its root, and two children
		for _, table := range []string{`"TaskRun"`, "task_run_v2"} {
			w.exec(`UPDATE ` + table + ` SET "batchId" = '` + strings.TrimPrefix(ids[i], "batch_") + `'`)
		}
		var shown struct {
			member
			RelatedRuns struct {
				Parent, Root member
				Children     []member
			}
		}
		w.call(http.MethodGet, "/api/v3/runs/"+run, nil).into(t, http.StatusOK, &shown)
		n := 0
		for _, m := range append(shown.RelatedRuns.Children, shown.member, shown.RelatedRuns.Parent, shown.RelatedRuns.Root) {
			if m.BatchID != nil && *m.BatchID == ids[i] {
				n++
			} else if m.BatchID != nil {
				t.Errorf("%d: the batch is %s", i, *m.BatchID)
			}
		}
		if n != want || len(shown.RelatedRuns.Children) != 2 {
			t.Errorf("%d: %d members show the batch, and not %d: %+v", i, n, want, shown)
		}
	}
}
