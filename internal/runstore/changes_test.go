package runstore_test

import (
	"errors"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// change makes one change to one run, from its own environment or, to no effect,
// from the other.
func (m *machine) change(t *rapid.T) {
	run := m.any(t)
	key := run.Key()
	ours := rapid.IntRange(0, 4).Draw(t, "from elsewhere") > 0
	if !ours {
		key.EnvironmentID = m.envs[0]
		if run.EnvironmentID == key.EnvironmentID {
			key.EnvironmentID = m.envs[1]
		}
	}
	now := m.clock.tick()
	then := *run
	type outcome struct {
		did bool
		err error
	}
	got, want := outcome{}, outcome{did: true}
	changed := func(_ runstore.Run, err error) { got = outcome{err == nil, err} }
	switch rapid.IntRange(0, 9).Draw(t, "change") {
	case 0:
		changed(m.store.Requeue(m.ctx, key))
		then.Status = runstore.Pending
	case 1:
		changed(m.store.Cancel(m.ctx, key, runstore.Cancellation{CompletedAt: &now}))
		then.Status, then.CompletedAt = runstore.Canceled, &now
	case 2:
		changed(m.store.StartAttempt(m.ctx, key, runstore.Attempt{Number: 2}))
		then.Status, then.AttemptNumber = runstore.Executing, ptr(int32(2))
	case 3:
		_, got.err = m.store.PushTags(m.ctx, key, []string{"b", "c"})
		got.did = got.err == nil
		then.Tags = append(append([]string{}, then.Tags...), "b", "c")
	case 4, 5:
		version := rapid.Int32Range(1, 3).Draw(t, "version")
		got.did, got.err = m.store.UpdateMetadata(m.ctx, key, runstore.MetadataUpdate{Metadata: "m", Expected: &version})
		want.did = version == run.MetadataVersion
		then.Metadata, then.MetadataVersion = ptr("m"), version+1
	case 6:
		changed(m.store.ParkPendingVersion(m.ctx, key, "r"))
		then.Status, then.StatusReason = runstore.PendingVersion, ptr("r")
	case 7, 8:
		got.did, got.err = m.store.PromotePendingVersion(m.ctx, key, runstore.Promotion{TaskVersion: ptr("v")})
		want.did = run.Status == runstore.PendingVersion && ours
		then.Status, then.TaskVersion = runstore.Pending, ptr("v")
		ours = true // it says no, and not that there is none
	default:
		changed(m.store.PushRealtimeStream(m.ctx, key, "s"))
		then.RealtimeStreams = append(append([]string{}, then.RealtimeStreams...), "s")
	}
	if !ours {
		if !errors.Is(got.err, runstore.ErrNotFound) {
			t.Fatalf("from elsewhere: %v", got.err)
		}
		return
	}
	if got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if want.did {
		then.UpdatedAt = now
		*run = then
	}
	found, err := m.store.FindByID(m.ctx, run.Key())
	if err != nil {
		t.Fatal(err)
	}
	m.same(t, "changed", []runstore.Run{*run}, []runstore.Run{found})
}

func (m *machine) expireMany(t *rapid.T) {
	env, ids := m.env(t), m.someIDs(t)
	now := m.clock.tick()
	var keys []runstore.Key
	for _, id := range ids {
		keys = append(keys, runstore.Key{EnvironmentID: env, ID: id})
	}
	want := int64(0)
	for _, run := range m.naive.runs {
		if run.EnvironmentID == env && selects(runstore.Filter{IDs: ids}, run) {
			run.Status, run.CompletedAt, run.ExpiredAt, run.UpdatedAt = runstore.Expired, &now, &now, now
			want++
		}
	}
	if n, err := m.store.ExpireMany(m.ctx, keys, runstore.Expiry{}); err != nil || n != want {
		t.Fatalf("%d expired, want %d (%v)", n, want, err)
	}
}

func (m *machine) clearKey(t *rapid.T) {
	env, now := m.env(t), m.clock.tick()
	var ids []runid.Friendly
	clear := func(run *runstore.Run) { run.IdempotencyKey, run.UpdatedAt = nil, now }
	var n, want int64
	var err error
	if rapid.Bool().Draw(t, "by friendly ids") {
		for _, id := range m.someIDs(t) {
			f, err := runid.ParseRun("run_" + id)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, f)
			for _, run := range m.naive.runs {
				if run.EnvironmentID == env && run.ID == id {
					clear(run)
					want++
				}
			}
		}
		n, err = m.store.ClearIdempotencyKeys(m.ctx, env, ids)
	} else {
		for _, run := range m.naive.runs {
			if run.EnvironmentID == env && run.TaskIdentifier == "t" && run.IdempotencyKey != nil && *run.IdempotencyKey == "k" {
				clear(run)
				want++
			}
		}
		n, err = m.store.ClearIdempotencyKeyOfTask(m.ctx, env, "t", "k")
	}
	if err != nil || n != want {
		t.Fatalf("%d were cleared, want %d (%v)", n, want, err)
	}
}
