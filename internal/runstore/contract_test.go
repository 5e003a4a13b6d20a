package runstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// contract is what a store promises wherever its runs are: a fixture whose new
// runs go to one table, to the other, or in turn to both.
type contract struct {
	fixture
	env, other string
	place      func() runid.Table
}

// eachPlacement runs a test with runs in "TaskRun" only, in task_run_v2 only, and
// in both. Each time the environments are new.
func eachPlacement(t *testing.T, test func(t *testing.T, c contract)) {
	eachCollation(t, func(t *testing.T, f fixture) { eachPlacementIn(t, f, test) })
}

func eachPlacementIn(t *testing.T, f fixture, test func(t *testing.T, c contract)) {
	turn := runid.Legacy
	for name, place := range map[string]func() runid.Table{
		"legacy only": func() runid.Table { return runid.Legacy },
		"v2 only":     func() runid.Table { return runid.V2 },
		"mixed":       func() runid.Table { turn = 1 - turn; return turn },
	} {
		t.Run(name, func(t *testing.T) { test(t, contract{f, "ours of " + name, "theirs of " + name, place}) })
	}
}

// make creates a run that is unlike the default in one way.
func (c contract) make(t *testing.T, change func(*runstore.NewRun)) runstore.Run {
	t.Helper()
	r := c.newRun(c.place())
	r.EnvironmentID, r.CreatedAt = c.env, c.clock.tick()
	change(&r)
	return c.create(t, r)
}

func (c contract) many(n int, t *testing.T, change func(i int, r *runstore.NewRun)) []runstore.Run {
	t.Helper()
	runs := make([]runstore.Run, n)
	for i := range runs {
		runs[i] = c.make(t, func(r *runstore.NewRun) { change(i, r) })
	}
	return runs
}

// both puts a copy of a run into the other table as well, where it differs by its
// task.
func (c contract) both(t *testing.T, run runstore.Run, task string) {
	t.Helper()
	from, to := run.Table(), 1-run.Table()
	if _, err := c.pool.Exec(t.Context(), "INSERT INTO "+to.SQL()+" SELECT * FROM "+from.SQL()+" WHERE id = $1", run.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pool.Exec(t.Context(), "UPDATE "+to.SQL()+` SET "taskIdentifier" = $2 WHERE id = $1`, run.ID, task); err != nil {
		t.Fatal(err)
	}
}

func idsOf(runs []runstore.Run) []string {
	ids := []string{}
	for _, run := range runs {
		ids = append(ids, run.ID)
	}
	return ids
}

func sorted(ids []string) []string { return slices.Sorted(slices.Values(ids)) }

// at is a time n seconds after the contract's first.
func at(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC) }
