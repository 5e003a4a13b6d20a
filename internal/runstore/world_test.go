package runstore_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// world is everybody's runs and batches, and one environment that reads them.
type world struct {
	ctx     context.Context
	store   *runstore.Store
	env     string
	all     []runstore.Run // of every environment
	listed  []runstore.Run // those that lists have: with a replica, what that has
	copied  map[string]bool
	batches []runstore.Batch
	a, b    runstore.Run // whose values filters have
}

// row is a run or a batch that a read gave, and as what.
type row struct{ Env, ID, As string }

func rowsOf(runs []runstore.Run) []row {
	var rows []row
	for _, run := range runs {
		rows = append(rows, row{run.EnvironmentID, run.ID, ""})
	}
	return rows
}

// own are the environment's own of some runs.
func (w world) own(of []runstore.Run, is func(run *runstore.Run) bool) []runstore.Run {
	var own []runstore.Run
	for _, run := range of {
		if run.EnvironmentID == w.env && is(&run) {
			own = append(own, run)
		}
	}
	return own
}

func whichever(*runstore.Run) bool { return true }

// answer is what a read gave, and what it has to give.
type answer struct{ got, want []row }

func (a *answer) add(got, want []row) { a.got, a.want = append(a.got, got...), append(a.want, want...) }

// each asks for every run there is, and takes a miss for nothing.
func (w world) each(want []runstore.Run, read func(run runstore.Run) ([]runstore.Run, error)) (answer, error) {
	a := answer{want: rowsOf(want)}
	for _, run := range w.all {
		got, err := read(run)
		if err == nil {
			a.got = append(a.got, rowsOf(got)...)
		} else if !errors.Is(err, runstore.ErrNotFound) {
			return a, err
		}
	}
	return a, nil
}

// eachOne is the same for reads of one run.
func (w world) eachOne(read func(run runstore.Run) (runstore.Run, error)) (answer, error) {
	return w.each(w.own(w.all, whichever), func(run runstore.Run) ([]runstore.Run, error) {
		found, err := read(run)
		return []runstore.Run{found}, err
	})
}

// eachFilter asks once for each field of a filter.
func (w world) eachFilter(read func(f runstore.Filter) ([]row, error), want func(f runstore.Filter) []row) (answer, error) {
	var a answer
	for field, f := range filters(w.a, w.b) {
		got, err := read(f)
		if err != nil {
			return a, fmt.Errorf("by %s: %w", field, err)
		}
		by := func(rows []row) []row {
			for i := range rows {
				rows[i].As = "by " + field + rows[i].As
			}
			return rows
		}
		a.add(by(got), by(want(f)))
	}
	return a, nil
}

// selected are the environment's own runs on lists that a filter selects.
func (w world) selected(f runstore.Filter) []row { return rowsOf(w.selectedOf(w.listed, f)) }

func (w world) selectedOf(of []runstore.Run, f runstore.Filter) []runstore.Run {
	return w.own(of, func(run *runstore.Run) bool { return selects(f, run) })
}

// newest is the first row of a list by which FindOne goes, and where the replica has
// none of the primary's.
func (w world) newest(f runstore.Filter) []row {
	for _, of := range [][]runstore.Run{w.listed, w.all} {
		var newest *runstore.Run
		for _, run := range w.selectedOf(of, f) {
			if newest == nil || run.CreatedAt.After(newest.CreatedAt) || run.CreatedAt.Equal(newest.CreatedAt) && run.ID > newest.ID {
				newest = &run
			}
		}
		if newest != nil {
			return rowsOf([]runstore.Run{*newest})
		}
	}
	return nil
}

// batchOf is the friendly id of a run's batch, if that is the environment's own.
func (w world) batchOf(run runstore.Run) string {
	for _, b := range w.batches {
		if run.BatchID != nil && b.ID == *run.BatchID && b.EnvironmentID == w.env {
			return b.FriendlyID
		}
	}
	return ""
}

// tables are those in which the environment has rows.
func (w world) tables() []row {
	var has [2]bool
	for _, run := range w.own(w.all, whichever) {
		has[run.Table()] = true
		has[runid.Legacy] = has[runid.Legacy] || w.copied[run.ID]
	}
	var rows []row
	for _, table := range runid.Tables() {
		if has[table] {
			rows = append(rows, row{w.env, "", table.String()})
		}
	}
	return rows
}
