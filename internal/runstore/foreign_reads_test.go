package runstore_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// reads are the store's methods that read, each asked for as much as it can be asked
// for in the environment, with the ids of everybody's runs and batches, and what each
// has to give.
func (w world) reads() map[string]func() (answer, error) {
	var ids, keys []string
	for _, run := range w.all {
		ids, keys = append(ids, run.ID), append(keys, *run.IdempotencyKey)
	}
	ofTask := w.own(w.all, func(run *runstore.Run) bool { return run.TaskIdentifier == "task" })
	query := func(f runstore.Filter) runstore.Query {
		return runstore.Query{EnvironmentID: w.env, Filter: f, Order: runstore.NewestFirst, Limit: runstore.MaxPage}
	}
	return map[string]func() (answer, error){
		"FindByID": func() (answer, error) {
			return w.eachOne(func(run runstore.Run) (runstore.Run, error) { return w.store.FindByID(w.ctx, w.key(run)) })
		},
		"FindByFriendlyID": func() (answer, error) {
			return w.eachOne(func(run runstore.Run) (runstore.Run, error) {
				return w.store.FindByFriendlyID(w.ctx, w.env, parsed(run.FriendlyID))
			})
		},
		"WithLocked": func() (answer, error) {
			return w.eachOne(func(run runstore.Run) (locked runstore.Run, err error) {
				err = w.store.WithLocked(w.ctx, w.key(run), func(_ *runstore.Store, run runstore.Run) error {
					locked = run
					return nil
				})
				return locked, err
			})
		},
		"FindRefByFriendlyID": w.refs,
		"FindByIDs": func() (answer, error) {
			found, err := w.store.FindByIDs(w.ctx, w.env, ids)
			var runs []runstore.Run
			for _, run := range found {
				runs = append(runs, run)
			}
			return answer{rowsOf(runs), rowsOf(w.own(w.all, whichever))}, err
		},
		"FindOne": func() (answer, error) {
			return w.eachFilter(func(f runstore.Filter) ([]row, error) {
				run, err := w.store.FindOne(w.ctx, w.env, f)
				if errors.Is(err, runstore.ErrNotFound) {
					return nil, nil
				}
				return rowsOf([]runstore.Run{run}), err
			}, w.newest)
		},
		"FindMany": func() (answer, error) {
			return w.eachFilter(func(f runstore.Filter) ([]row, error) {
				runs, err := w.store.FindMany(w.ctx, query(f))
				return rowsOf(runs), err
			}, w.selected)
		},
		"FindPage": func() (answer, error) {
			return w.eachFilter(func(f runstore.Filter) ([]row, error) {
				page, err := w.store.FindPage(w.ctx, query(f))
				return rowsOf(page.Runs), err
			}, w.selected)
		},
		"Count": func() (answer, error) {
			number := func(n int64) []row { return []row{{w.env, "", fmt.Sprintf(": %d", n)}} }
			return w.eachFilter(func(f runstore.Filter) ([]row, error) {
				n, err := w.store.Count(w.ctx, w.env, f)
				return number(n), err
			}, func(f runstore.Filter) []row { return number(int64(len(w.selected(f)))) })
		},
		"FindByIdempotencyKeys": func() (answer, error) {
			runs, err := w.store.FindByIdempotencyKeys(w.ctx, w.env, "task", keys)
			return answer{rowsOf(runs), rowsOf(ofTask)}, err
		},
		"FindByIdempotencyKey": func() (answer, error) {
			return w.each(ofTask, func(run runstore.Run) ([]runstore.Run, error) {
				return w.store.FindByIdempotencyKey(w.ctx, w.env, "task", *run.IdempotencyKey)
			})
		},
		"FindByOneTimeUseToken": func() (answer, error) {
			return w.each(w.own(w.all, whichever), func(run runstore.Run) ([]runstore.Run, error) {
				return w.store.FindByOneTimeUseToken(w.ctx, w.env, *run.OneTimeUseToken)
			})
		},
		"FindFamily": w.families,
		"FindChildren": func() (answer, error) {
			children, err := w.store.FindChildren(w.ctx, w.env, ids)
			var a answer
			for _, child := range children {
				at := slices.IndexFunc(w.all, func(run runstore.Run) bool { return run.ID == child.ID })
				a.got = append(a.got, row{w.all[at].EnvironmentID, child.ID, child.ParentRunID + " " + string(child.Status)})
			}
			for _, run := range w.own(w.all, func(run *runstore.Run) bool { return run.ParentRunID != nil && slices.Contains(ids, *run.ParentRunID) }) {
				a.want = append(a.want, row{w.env, run.ID, *run.ParentRunID + " " + string(run.Status)})
			}
			return a, err
		},
		"FindBatchRuns": w.batchRuns,
		"FindBatchByIdempotencyKey": func() (answer, error) {
			return w.eachBatch(func(b runstore.Batch) (runstore.Batch, error) {
				return w.store.FindBatchByIdempotencyKey(w.ctx, w.env, *b.IdempotencyKey)
			})
		},
		"FindBatchByFriendlyID": func() (answer, error) {
			return w.eachBatch(func(b runstore.Batch) (runstore.Batch, error) {
				id, err := runid.ParseBatch(b.FriendlyID)
				if err != nil {
					return runstore.Batch{}, err
				}
				return w.store.FindBatchByFriendlyID(w.ctx, w.env, id)
			})
		},
		"EnvironmentsWithRuns": func() (answer, error) {
			found, err := w.store.EnvironmentsWithRuns(w.ctx, [2][]string{{w.env}, {w.env}})
			a := answer{want: w.tables()}
			for _, table := range runid.Tables() {
				for _, env := range found[table] {
					a.got = append(a.got, row{env, "", table.String()})
				}
			}
			return a, err
		},
	}
}

// key names a run as the environment's own, which it may not be.
func (w world) key(run runstore.Run) runstore.Key {
	return runstore.Key{EnvironmentID: w.env, ID: run.ID}
}

func (w world) refs() (answer, error) {
	var a answer
	for _, run := range w.all {
		ref, err := w.store.FindRefByFriendlyID(w.ctx, w.env, parsed(run.FriendlyID))
		if err == nil {
			as := ""
			if ref.BatchFriendlyID != nil {
				as = *ref.BatchFriendlyID
			}
			a.got = append(a.got, row{ref.EnvironmentID, ref.ID, as})
		} else if !errors.Is(err, runstore.ErrNotFound) {
			return a, err
		}
	}
	for _, run := range w.own(w.all, whichever) {
		a.want = append(a.want, row{w.env, run.ID, w.batchOf(run)})
	}
	return a, nil
}

// families asks for the family of every run, also of one that is another's.
func (w world) families() (answer, error) {
	var a answer
	for _, of := range w.all {
		of.EnvironmentID = w.env
		family, err := w.store.FindFamily(w.ctx, of)
		if err != nil {
			return a, err
		}
		is := func(as string, rows []row) []row {
			for i := range rows {
				rows[i].As = as + " of " + of.ID
			}
			return rows
		}
		named := func(id *string) []row {
			return rowsOf(w.own(w.listed, func(run *runstore.Run) bool { return id != nil && run.ID == *id }))
		}
		one := func(run *runstore.Run) []row {
			if run == nil {
				return nil
			}
			return rowsOf([]runstore.Run{*run})
		}
		children := w.own(w.listed, func(run *runstore.Run) bool { return run.ParentRunID != nil && *run.ParentRunID == of.ID })
		a.add(is("root", one(family.Root)), is("root", named(of.RootRunID)))
		a.add(is("parent", one(family.Parent)), is("parent", named(of.ParentRunID)))
		a.add(is("child", rowsOf(family.Children)), is("child", rowsOf(children)))
	}
	return a, nil
}

// batchRuns asks for the runs of every batch, as if it were the environment's own and
// named every other run.
func (w world) batchRuns() (answer, error) {
	var a answer
	var names []string
	for i, run := range w.all {
		if i%2 == 0 {
			names = append(names, run.FriendlyID)
		}
	}
	for _, b := range w.batches {
		runs, err := w.store.FindBatchRuns(w.ctx, runstore.Batch{ID: b.ID, EnvironmentID: w.env, RunIDs: names})
		if err != nil {
			return a, err
		}
		a.add(rowsOf(runs), rowsOf(w.own(w.listed, func(run *runstore.Run) bool {
			return run.BatchID != nil && *run.BatchID == b.ID || slices.Contains(names, run.FriendlyID)
		})))
	}
	return a, nil
}

func (w world) eachBatch(read func(b runstore.Batch) (runstore.Batch, error)) (answer, error) {
	var a answer
	for _, b := range w.batches {
		found, err := read(b)
		if err == nil {
			a.got = append(a.got, row{found.EnvironmentID, found.ID, ""})
		} else if !errors.Is(err, runstore.ErrNotFound) {
			return a, err
		}
		if b.EnvironmentID == w.env {
			a.want = append(a.want, row{w.env, b.ID, ""})
		}
	}
	return a, nil
}
