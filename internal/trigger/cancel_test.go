package trigger_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// tree makes a run with so many children, and so on for further generations; each
// generation is in the other table. It gives all, by generation.
func (f *fixture) tree(t testing.TB, top runid.Table, widths ...int) [][]runstore.Run {
	t.Helper()
	all := [][]runstore.Run{{f.at(top).make(t, request())}}
	for depth, width := range widths {
		var generation []runstore.Run
		for _, parent := range all[depth] {
			for range width {
				top := runid.Table((int(top) + depth + 1) % 2)
				generation = append(generation, f.at(top).make(t, request(func(r *trigger.Request) { r.ParentRun = parent.FriendlyID })))
			}
		}
		all = append(all, generation)
	}
	return all
}

// A child knows its parent and its root in either table, and is in their trace.
func TestChildren(t *testing.T) {
	for _, top := range runid.Tables() {
		f := newFixture(t, nil)
		all := f.tree(t, top, 2, 2)
		root := all[0][0]
		if root.RootRunID != nil || root.ParentRunID != nil || root.Depth != 0 {
			t.Errorf("the root is %+v", root)
		}
		for depth, generation := range all[1:] {
			for i, run := range generation {
				parent := all[depth][i/2]
				if *run.ParentRunID != parent.ID || *run.RootRunID != root.ID || run.Depth != int32(depth+1) || run.Table() == parent.Table() {
					t.Errorf("%s, child of %s: %v %v %d", run.ID, parent.ID, *run.ParentRunID, *run.RootRunID, run.Depth)
				}
				if run.TraceID != root.TraceID || run.ParentSpanID == nil || *run.ParentSpanID != parent.SpanID || run.SpanID == parent.SpanID {
					t.Errorf("its trace is %s, under %v, the root's %s", run.TraceID, run.ParentSpanID, root.TraceID)
				}
			}
		}
	}
}

// A parent that is over cannot wait; one that is abroad is none.
func TestParents(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, _ runid.Table) {
		parent := f.make(t, request())
		under := func(r *trigger.Request) { r.ParentRun = parent.FriendlyID }
		waiting := func(r *trigger.Request) { under(r); r.ResumeParent = true }
		if child := f.make(t, request(waiting)); !child.ResumeParentOnCompletion {
			t.Error("nobody resumes the parent")
		}
		f.exec(t, parent, `status = 'CRASHED'`)
		var status *trigger.StatusError
		if _, err := f.Trigger(t.Context(), request(waiting)); !errors.As(err, &status) || status.Status != runstore.Crashed {
			t.Errorf("under one that is over: %v", err)
		}
		f.make(t, request(under))
		var notFound *trigger.NotFoundError
		before := f.count(t, "true")
		if _, err := f.Trigger(t.Context(), request(under, func(r *trigger.Request) { r.Environment = theirs })); !errors.As(err, &notFound) || !errors.Is(err, runstore.ErrNotFound) {
			t.Errorf("from abroad: %v", err)
		}
		if n := f.count(t, "true"); n != before {
			t.Errorf("%d runs were made from abroad", n-before)
		}
	})
}

// Canceling ends all below, in both tables, each as a reader may see it; what is
// over stays as it is, with all below it.
func TestCancel(t *testing.T) {
	for _, top := range runid.Tables() {
		f := newFixture(t, nil)
		all := f.tree(t, top, 3, 2)
		children, grandchildren := all[1], all[2]
		f.exec(t, children[1], `status = 'COMPLETED_SUCCESSFULLY', "completedAt" = '2020-01-01', output = '1'`)
		f.exec(t, grandchildren[0], `status = 'CRASHED', "completedAt" = '2020-01-01', error = '{"type":"STRING_ERROR","raw":"it crashed"}'`)
		f.exec(t, children[2], `status = 'EXECUTING'`)
		stays := map[string]runstore.Run{}
		for _, run := range []runstore.Run{children[1], grandchildren[0], grandchildren[2], grandchildren[3], f.make(t, request())} {
			stays[run.ID] = f.read(t, run)
		}
		f.asked.take()
		got, err := f.Cancel(t.Context(), ours.ID, all[0][0].FriendlyID, "no longer wanted")
		if err != nil {
			t.Fatal(err)
		}
		// Once for every run it is written, and nothing is written to those who stay.
		updates := 0
		for _, sql := range f.asked.take() {
			if strings.HasPrefix(sql, "UPDATE") {
				updates++
			}
		}
		if got.Run.ID != all[0][0].ID || got.Run.Status != runstore.Canceled || got.Already || got.Descendants != 5 || updates != 6 {
			t.Errorf("%s, already %v, and %d below, by %d updates", got.Run.Status, got.Already, got.Descendants, updates)
		}
		for _, generation := range all {
			for _, run := range generation {
				now := f.read(t, run)
				if was, ok := stays[run.ID]; ok {
					if !now.UpdatedAt.Equal(was.UpdatedAt) || now.Status != was.Status {
						t.Errorf("%s was changed to %s", was.Status, now.Status)
					}
				} else if now.Status != runstore.Canceled || now.CompletedAt == nil || string(now.Error) != `{"raw": "no longer wanted", "type": "STRING_ERROR"}` {
					t.Errorf("%s: %s, %s", run.ID, now.Status, now.Error)
				}
			}
		}
		again, err := f.Cancel(t.Context(), ours.ID, all[0][0].FriendlyID, "again")
		if err != nil || !again.Already || again.Descendants != 0 || string(again.Run.Error) != string(f.read(t, all[0][0]).Error) {
			t.Errorf("again: already %v, %d below, %s, %v", again.Already, again.Descendants, again.Run.Error, err)
		}
		// What a failure has cut short is finished by trying again.
		f.exec(t, children[2], `status = 'EXECUTING', "completedAt" = NULL`)
		f.exec(t, grandchildren[1], `status = 'EXECUTING', "completedAt" = NULL`) // under one that stays canceled
		if again, err = f.Cancel(t.Context(), ours.ID, all[0][0].FriendlyID, ""); err != nil || !again.Already || again.Descendants != 2 {
			t.Errorf("and again: %d below, %v", again.Descendants, err)
		}
		if done, err := f.Cancel(t.Context(), ours.ID, children[1].FriendlyID, ""); err != nil || !done.Already || done.Run.Status != runstore.CompletedSuccessfully || done.Descendants != 0 {
			t.Errorf("one that had ended: %s, already %v, %d below, %v", done.Run.Status, done.Already, done.Descendants, err)
		}
	}
}

// A run that ends while it is being canceled ends in one way: nobody writes over
// who was first.
func TestCancelRacesCompletion(t *testing.T) {
	f := newFixture(t, nil)
	outcomes := map[runstore.Status]int{}
	for round := range 20 {
		all := f.tree(t, runid.Table(round%2), 2, 2)
		var wg sync.WaitGroup
		first := map[string]runstore.Status{}
		var mu sync.Mutex
		for _, generation := range all {
			for _, run := range generation {
				wg.Go(func() {
					err := f.store.WithLocked(t.Context(), run.Key(), func(in *runstore.Store, now runstore.Run) error {
						if now.Status.Final() {
							return nil
						}
						_, err := in.CompleteAttemptSuccess(t.Context(), run.Key(), runstore.Success{Output: ptr("1")})
						if err == nil {
							mu.Lock()
							first[run.ID] = runstore.CompletedSuccessfully
							mu.Unlock()
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		if _, err := f.Cancel(t.Context(), ours.ID, all[0][0].FriendlyID, "race"); err != nil {
			t.Error(err)
		}
		wg.Wait()
		for _, generation := range all {
			for _, run := range generation {
				now := f.read(t, run)
				outcomes[now.Status]++
				completed := first[run.ID] == runstore.CompletedSuccessfully
				if completed != (now.Status == runstore.CompletedSuccessfully) || completed != (now.Output != nil) || completed == (now.Error != nil) {
					t.Errorf("%s: %s with output %v and error %s", run.ID, now.Status, now.Output, now.Error)
				}
			}
		}
	}
	if len(outcomes) != 2 {
		t.Errorf("there was no race: %v", outcomes)
	}
}

// Pointers that lead in a circle are followed once.
func TestCancelInACircle(t *testing.T) {
	f := newFixture(t, nil)
	all := f.tree(t, runid.Legacy, 1, 1)
	f.exec(t, all[0][0], `"parentTaskRunId" = $2`, all[2][0].ID)
	f.exec(t, all[1][0], `"rootTaskRunId" = $2`, all[1][0].ID)
	if got, err := f.Cancel(t.Context(), ours.ID, all[1][0].FriendlyID, ""); err != nil || got.Descendants != 2 {
		t.Errorf("%d below, %v", got.Descendants, err)
	}
}

func TestCancelRefused(t *testing.T) {
	f := newFixture(t, nil)
	run := f.make(t, request())
	var notFound *trigger.NotFoundError
	for _, id := range []string{"", "run_", run.ID, "run_gone", "batch_a", run.FriendlyID + "\x00", "run_\xff", "run_" + strings.Repeat("a", 10_000)} {
		if _, err := f.Cancel(t.Context(), ours.ID, id, ""); !errors.As(err, &notFound) || len(err.Error()) > 200 {
			t.Errorf("%.30q: %v", id, err)
		}
	}
	if _, err := f.Cancel(t.Context(), theirs.ID, run.FriendlyID, ""); !errors.As(err, &notFound) {
		t.Errorf("from abroad: %v", err)
	}
	var invalid *trigger.InvalidError
	if _, err := f.Cancel(t.Context(), ours.ID, run.FriendlyID, "a\x00"); !errors.As(err, &invalid) {
		t.Errorf("a bad reason: %v", err)
	}
	if now := f.read(t, run); now.Status != runstore.Pending {
		t.Errorf("it is %s", now.Status)
	}
}

// Only a delayed run gets another time.
func TestReschedule(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, _ runid.Table) {
		until := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Millisecond)
		run := f.make(t, request(func(r *trigger.Request) { r.DelayUntil = time.Now().Add(time.Hour) }))
		got, err := f.Reschedule(t.Context(), ours.ID, run.FriendlyID, until)
		if err != nil || !got.DelayUntil.Equal(until) || !f.read(t, run).DelayUntil.Equal(until) || got.Status != runstore.Delayed {
			t.Errorf("%v, %v", got.DelayUntil, err)
		}
		var notFound *trigger.NotFoundError
		if _, err := f.Reschedule(t.Context(), theirs.ID, run.FriendlyID, until); !errors.As(err, &notFound) {
			t.Errorf("from abroad: %v", err)
		}
		var invalid *trigger.InvalidError
		if _, err := f.Reschedule(t.Context(), ours.ID, run.FriendlyID, time.Time{}); !errors.As(err, &invalid) {
			t.Errorf("to no time: %v", err)
		}
		if _, err := f.store.EnqueueDelayed(t.Context(), run.Key(), time.Time{}); err != nil {
			t.Fatal(err)
		}
		var status *trigger.StatusError
		if _, err := f.Reschedule(t.Context(), ours.ID, run.FriendlyID, until.Add(time.Hour)); !errors.As(err, &status) || status.Status != runstore.Pending {
			t.Errorf("when it is queued: %v", err)
		}
		if now := f.read(t, run); !now.DelayUntil.Equal(until) {
			t.Errorf("it is delayed until %v", now.DelayUntil)
		}
	})
}

// A trigger asks the same of Postgres whichever table the run goes to.
func TestQueries(t *testing.T) {
	f := newFixture(t, nil)
	parent := f.make(t, request())
	for name, c := range map[string]struct {
		change func(r *trigger.Request, table string)
		want   int
	}{
		"plain":        {func(*trigger.Request, string) {}, 1},
		"with a key":   {func(r *trigger.Request, table string) { r.IdempotencyKey = table }, 2},
		"with a token": {func(r *trigger.Request, table string) { r.OneTimeUseToken = table }, 2},
		"of a parent":  {func(r *trigger.Request, _ string) { r.ParentRun = parent.FriendlyID }, 3},
		"with everything": {func(r *trigger.Request, table string) {
			r.IdempotencyKey, r.OneTimeUseToken, r.ParentRun = table+" all", table+" all", parent.FriendlyID
		}, 5},
	} {
		for _, table := range runid.Tables() {
			f.asked.take()
			f.at(table).make(t, request(func(r *trigger.Request) { c.change(r, fmt.Sprint(table)) }))
			if sql := f.asked.take(); len(sql) != c.want {
				t.Errorf("%s, to %s: %d queries, not %d:\n%q", name, table, len(sql), c.want, sql)
			}
		}
	}
}
