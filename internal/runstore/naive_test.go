package runstore_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// naive is a store of runs in memory, with no tables, no statements and no
// indexes: what runstore has to be like from outside.
type naive struct{ runs []*runstore.Run }

func (n *naive) create(r runstore.NewRun, now time.Time) bool {
	for _, run := range n.runs {
		if r.IdempotencyKey != nil && run.IdempotencyKey != nil && run.Table() == runid.Home(r.ID) && // an index for each table
			run.EnvironmentID == r.EnvironmentID && run.TaskIdentifier == r.TaskIdentifier && *run.IdempotencyKey == *r.IdempotencyKey {
			return false
		}
	}
	n.runs = append(n.runs, &runstore.Run{
		ID: r.ID, FriendlyID: "run_" + r.ID, Engine: "V2", Status: runstore.Pending, TaskIdentifier: r.TaskIdentifier, Payload: r.Payload, PayloadType: "application/json",
		TraceID: r.TraceID, SpanID: r.SpanID, EnvironmentID: r.EnvironmentID, ProjectID: r.ProjectID, Queue: "task/" + r.TaskIdentifier, WorkerQueue: "main",
		CreatedAt: r.CreatedAt, UpdatedAt: now, Tags: r.Tags, BulkActionGroupIDs: []string{}, RealtimeStreams: []string{}, IdempotencyKey: r.IdempotencyKey,
		RootRunID: r.RootRunID, ParentRunID: r.ParentRunID, BatchID: r.BatchID,
		SeedMetadataType: "application/json", MetadataType: "application/json", MetadataVersion: 1, OutputType: "application/json", RealtimeStreamsVersion: "v1",
	})
	return true
}

// find gives the runs of an environment that a filter of the machine's selects,
// oldest first.
func (n *naive) find(env string, f runstore.Filter) []runstore.Run {
	var found []runstore.Run
	for _, run := range n.runs {
		if run.EnvironmentID == env && selects(f, run) {
			found = append(found, *run)
		}
	}
	slices.SortFunc(found, func(a, b runstore.Run) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), slices.Compare([]byte(a.ID), []byte(b.ID)))
	})
	return found
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
