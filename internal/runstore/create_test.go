package runstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func TestCreateFillsDefaults(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		r := f.newRun(table)
		got := f.create(t, r)
		want := runstore.Run{
			ID: r.ID, FriendlyID: "run_" + r.ID, Engine: "V2", Status: runstore.Pending, TaskIdentifier: "task", Payload: "{}", PayloadType: "application/json",
			TraceID: "t", SpanID: "s", EnvironmentID: env, ProjectID: "proj", Queue: "task/task", WorkerQueue: "main",
			CreatedAt: f.clock.at, UpdatedAt: f.clock.at, BulkActionGroupIDs: []string{}, RealtimeStreams: []string{},
			SeedMetadataType: "application/json", MetadataType: "application/json", MetadataVersion: 1, OutputType: "application/json", RealtimeStreamsVersion: "v1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got.Table() != table {
			t.Errorf("the run says that it is in %v", got.Table())
		}
		if diff := cmp.Diff(want, f.read(t, got)); diff != "" {
			t.Error(diff)
		}
		for _, tt := range runid.Tables() {
			var n int
			if err := f.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+tt.SQL()+" WHERE id = $1", r.ID).Scan(&n); err != nil || (n == 1) != (tt == table) {
				t.Errorf("%v has %d of it (%v)", tt, n, err)
			}
		}
	})
}

func TestCreateKeepsEverything(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		// A zone, and parts of a millisecond, of which neither can be stored.
		at := time.Date(2026, 3, 1, 15, 0, 0, 999_999_999, time.FixedZone("far", 3*3600))
		stored := time.Date(2026, 3, 1, 12, 0, 0, 999_000_000, time.UTC)
		r := f.newRun(table)
		r.FriendlyID, r.OrganizationID, r.EnvironmentType, r.Number = "run_own", "org", "PREVIEW", 7
		if table == runid.V2 {
			r.FriendlyID = "" // in this table a friendly id always holds the id
		}
		r.Payload, r.PayloadType = `{"a":"é\"\n"}`, "application/super+json"
		r.Context, r.TraceContext, r.Annotations = json.RawMessage(`{"a": 1}`), json.RawMessage(`[]`), json.RawMessage(`null`)
		r.ParentSpanID, r.IsTest, r.Status = ptr("ps"), true, runstore.Delayed
		r.Queue, r.WorkerQueue, r.Region, r.ConcurrencyKey, r.PriorityMs = "q", "w", ptr("eu"), ptr("ck"), 5
		r.QueuedAt, r.DelayUntil, r.TTL, r.MaxAttempts, r.MaxDurationInSeconds = &at, &at, ptr("10m"), ptr(int32(3)), ptr(int32(60))
		r.MachinePreset, r.PlanType, r.ScheduleID, r.ReplayedFromFriendlyID = ptr("small-1x"), ptr("pro"), ptr("sched"), ptr("run_old")
		r.IdempotencyKey, r.IdempotencyKeyExpiresAt, r.IdempotencyKeyOptions = ptr("k"), &at, json.RawMessage(`{"key": "k", "scope": "run"}`)
		r.OneTimeUseToken, r.Tags = ptr("otu-"+table.String()), []string{"a", `b,"{}\`, "é", ""}
		r.BatchID, r.RootRunID, r.ParentRunID, r.ResumeParentOnCompletion, r.Depth = ptr("b"), ptr("root"), ptr("parent"), true, 2
		r.Metadata, r.MetadataType, r.RealtimeStreamsVersion, r.CreatedAt = ptr(`{"m":1}`), "application/x", "v2", at

		got := f.read(t, f.create(t, r))
		want := runstore.Run{
			ID: r.ID, Number: 7, FriendlyID: got.FriendlyID, Engine: "V2", Status: runstore.Delayed,
			IdempotencyKey: r.IdempotencyKey, IdempotencyKeyExpiresAt: &stored, IdempotencyKeyOptions: r.IdempotencyKeyOptions, OneTimeUseToken: r.OneTimeUseToken,
			TaskIdentifier: "task", IsTest: true, Payload: r.Payload, PayloadType: r.PayloadType, Context: r.Context, TraceContext: r.TraceContext,
			TraceID: "t", SpanID: "s", ParentSpanID: r.ParentSpanID, EnvironmentID: env, EnvironmentType: ptr("PREVIEW"), ProjectID: "proj", OrganizationID: ptr("org"),
			Queue: "q", WorkerQueue: "w", Region: r.Region, ConcurrencyKey: r.ConcurrencyKey, PriorityMs: 5, DelayUntil: &stored, QueuedAt: &stored, TTL: r.TTL,
			CreatedAt: stored, UpdatedAt: f.clock.at, MaxAttempts: r.MaxAttempts, MachinePreset: r.MachinePreset, MaxDurationInSeconds: r.MaxDurationInSeconds, PlanType: r.PlanType,
			Tags: r.Tags, BulkActionGroupIDs: []string{}, ScheduleID: r.ScheduleID, ReplayedFromFriendlyID: r.ReplayedFromFriendlyID,
			RootRunID: r.RootRunID, ParentRunID: r.ParentRunID, BatchID: r.BatchID, ResumeParentOnCompletion: true, Depth: 2,
			SeedMetadata: r.Metadata, SeedMetadataType: "application/x", Metadata: r.Metadata, MetadataType: "application/x", MetadataVersion: 1,
			Annotations: r.Annotations, OutputType: "application/json", RealtimeStreamsVersion: "v2", RealtimeStreams: []string{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	f := newFixture(t)
	for name, spoil := range map[string]func(*runstore.NewRun){
		"ID":             func(r *runstore.NewRun) { r.ID = "" },
		"EnvironmentID":  func(r *runstore.NewRun) { r.EnvironmentID = "" },
		"ProjectID":      func(r *runstore.NewRun) { r.ProjectID = "" },
		"TaskIdentifier": func(r *runstore.NewRun) { r.TaskIdentifier = "" },
		"Payload":        func(r *runstore.NewRun) { r.Payload = "" },
	} {
		r := f.newRun(runid.V2)
		spoil(&r)
		_, err := f.store.Create(t.Context(), r)
		var invalid *runstore.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := runstore.New(runstore.Config{}); err == nil {
		t.Error("a store without a primary was made")
	}
}

func TestCreateUnique(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		full := func() runstore.NewRun {
			r := f.newRun(table)
			r.IdempotencyKey, r.OneTimeUseToken = ptr("secret-key-"+r.ID), ptr("secret-token-"+r.ID)
			return r
		}
		first := full()
		f.create(t, first)
		for want, same := range map[runstore.Unique]func(*runstore.NewRun){
			runstore.UniqueID:              func(r *runstore.NewRun) { r.ID = first.ID; r.FriendlyID = "run_another" },
			runstore.UniqueFriendlyID:      func(r *runstore.NewRun) { r.FriendlyID = "run_" + first.ID },
			runstore.UniqueIdempotencyKey:  func(r *runstore.NewRun) { r.IdempotencyKey = first.IdempotencyKey },
			runstore.UniqueOneTimeUseToken: func(r *runstore.NewRun) { r.OneTimeUseToken = first.OneTimeUseToken },
		} {
			r := full()
			same(&r)
			_, err := f.store.Create(t.Context(), r)
			var unique *runstore.UniqueError
			if !errors.As(err, &unique) || unique.Unique != want || unique.Constraint == "" || !strings.Contains(err.Error(), unique.Constraint) {
				t.Errorf("want %d: %v (%+v)", want, err, unique)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a value: %v", err)
			}
		}
		// The same key for another task, or in another environment, is another key.
		r := full()
		r.IdempotencyKey, r.TaskIdentifier = first.IdempotencyKey, "another"
		f.create(t, r)
		r = full()
		r.IdempotencyKey, r.EnvironmentID = first.IdempotencyKey, other
		f.create(t, r)
	})
}

func TestInTransaction(t *testing.T) {
	eachTable(t, func(t *testing.T, f fixture, table runid.Table) {
		tx, err := f.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		in := f.store.In(tx)
		run, err := in.Create(t.Context(), f.newRun(table))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.StartAttempt(t.Context(), run.Key(), runstore.Attempt{Number: 1}); err != nil {
			t.Fatal(err)
		}
		id := friendly(t, run.FriendlyID)
		if _, err := f.store.FindByFriendlyID(t.Context(), env, id); !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("seen from outside before the commit: %v", err)
		}
		if seen, err := in.FindByFriendlyID(t.Context(), env, id); err != nil || seen.Status != runstore.Executing {
			t.Errorf("seen from inside: %v, %v", seen.Status, err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := f.store.FindByFriendlyID(t.Context(), env, id); !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("after a rollback: %v", err)
		}
	})
}
