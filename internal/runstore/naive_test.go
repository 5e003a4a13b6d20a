package runstore_test

import (
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// naive is a store of runs in memory, of slices and loops: what runstore has to be
// like from outside. It has the methods of a runstore.Store, by the same names and
// with the same arguments and results.
type naive struct {
	now     func() time.Time // to the millisecond
	primary *rows
	replica *rows               // nil for none: what the primary was when they were last level
	places  map[string]standing // what the texts between pages stand for
}

// rows are what is stored. Of a run that is in both tables, runs has what v2 says,
// and stale what "TaskRun" says, which counts for nothing but for its indexes.
type rows struct {
	runs, stale []runstore.Run
	batches     []runstore.Batch
}

// copied are the same rows, whatever happens to these. What a row points to is never
// changed, so it may be shared.
func (r *rows) copied() *rows {
	return &rows{slices.Clone(r.runs), slices.Clone(r.stale), slices.Clone(r.batches)}
}

// in are the rows that a table has.
func (r *rows) in(table runid.Table) []runstore.Run {
	var in []runstore.Run
	for _, run := range r.runs {
		if run.Table() == table {
			in = append(in, run)
		}
	}
	if table == runid.Legacy {
		in = append(in, r.stale...)
	}
	return in
}

// in is the store inside a transaction, which ends with kept or without.
func (n *naive) in() *naive {
	return &naive{now: n.now, primary: n.primary.copied(), places: n.places}
}

func (n *naive) onPrimary() *naive {
	return &naive{now: n.now, primary: n.primary, places: n.places}
}

// listed are the rows that lists are read from.
func (n *naive) listed() *rows {
	if n.replica != nil {
		return n.replica
	}
	return n.primary
}

// named is a row by which one asks by name: the replica's, and where that has none the
// primary's.
func named[T any](n *naive, find func(from *rows) (T, bool)) (T, error) {
	for _, from := range []*rows{n.listed(), n.primary} {
		if row, ok := find(from); ok {
			return row, nil
		}
	}
	var none T
	return none, runstore.ErrNotFound
}

// find gives the runs of an environment that a filter selects, oldest first.
func (r *rows) find(env string, f runstore.Filter) []runstore.Run {
	var found []runstore.Run
	for _, run := range r.runs {
		if run.EnvironmentID == env && selects(f, &run) {
			found = append(found, run)
		}
	}
	slices.SortFunc(found, older)
	return found
}

// older compares runs by their creation, and where that is the same by the bytes of
// their ids.
func older(a, b runstore.Run) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return slices.Compare([]byte(a.ID), []byte(b.ID))
}

// selects says that a run satisfies every field of a filter that is set.
func selects(f runstore.Filter, r *runstore.Run) bool {
	same := func(want, got *string) bool { return want == nil || got != nil && *want == *got }
	one := func(want []string, got *string) bool {
		return want == nil || got != nil && slices.Contains(want, *got)
	}
	tagged := func(tag string) bool { return slices.Contains(r.Tags, tag) }
	named := func(id runid.Friendly) bool { return id.String() == r.FriendlyID }
	return one(f.IDs, &r.ID) && one(f.TaskIdentifiers, &r.TaskIdentifier) && one(f.Versions, r.TaskVersion) &&
		one(f.Queues, &r.Queue) && one(f.WorkerQueues, &r.WorkerQueue) && one(f.Regions, r.Region) &&
		one(f.MachinePresets, r.MachinePreset) && one(f.IdempotencyKeys, r.IdempotencyKey) &&
		(f.FriendlyIDs == nil || slices.ContainsFunc(f.FriendlyIDs, named)) &&
		(f.Statuses == nil || slices.Contains(f.Statuses, r.Status)) &&
		(f.AnyTag == nil || slices.ContainsFunc(f.AnyTag, tagged)) &&
		(f.AllTags == nil || len(f.AllTags) > 0 && !slices.ContainsFunc(f.AllTags, func(tag string) bool { return !tagged(tag) })) &&
		same(f.BatchID, r.BatchID) && same(f.ScheduleID, r.ScheduleID) && same(f.ParentRunID, r.ParentRunID) && same(f.RootRunID, r.RootRunID) &&
		(f.BulkActionID == nil || slices.Contains(r.BulkActionGroupIDs, *f.BulkActionID)) &&
		(f.IsTest == nil || *f.IsTest == r.IsTest) &&
		(f.CreatedFrom.IsZero() || !r.CreatedAt.Before(f.CreatedFrom)) && (f.CreatedBefore.IsZero() || r.CreatedAt.Before(f.CreatedBefore))
}
