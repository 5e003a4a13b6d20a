package runstore_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// reads are the store's methods that read runs, each asked for as much as it can
// be asked for in an environment, with the ids of everybody's runs and batches.
func reads(ctx context.Context, s *runstore.Store, env string, all []runstore.Run, batches []string) map[string]func() ([]runstore.Run, error) {
	var friendly []runid.Friendly
	for _, run := range all {
		id, err := runid.ParseRun(run.FriendlyID)
		if err != nil {
			panic(err)
		}
		friendly = append(friendly, id)
	}
	// each calls a read for every run, and takes a miss for nothing.
	each := func(read func(i int) ([]runstore.Run, error)) func() ([]runstore.Run, error) {
		return func() (runs []runstore.Run, err error) {
			for i := range all {
				some, err := read(i)
				if err != nil && !errors.Is(err, runstore.ErrNotFound) {
					return nil, err
				}
				if err == nil {
					runs = append(runs, some...)
				}
			}
			return runs, nil
		}
	}
	one := func(run runstore.Run, err error) ([]runstore.Run, error) { return []runstore.Run{run}, err }
	page := func(f runstore.Filter) ([]runstore.Run, error) {
		p, err := s.FindPage(ctx, runstore.Query{EnvironmentID: env, Filter: f, Order: runstore.NewestFirst, Limit: runstore.MaxPage})
		return p.Runs, err
	}
	return map[string]func() ([]runstore.Run, error){
		"FindByID": each(func(i int) ([]runstore.Run, error) {
			return one(s.FindByID(ctx, runstore.Key{EnvironmentID: env, ID: all[i].ID}))
		}),
		"FindByFriendlyID": each(func(i int) ([]runstore.Run, error) { return one(s.FindByFriendlyID(ctx, env, friendly[i])) }),
		"FindRefByFriendlyID": each(func(i int) ([]runstore.Run, error) {
			ref, err := s.FindRefByFriendlyID(ctx, env, friendly[i])
			return []runstore.Run{{ID: ref.ID, EnvironmentID: ref.EnvironmentID, BatchID: ref.BatchFriendlyID}}, err
		}),
		"FindByIDs": func() ([]runstore.Run, error) {
			found, err := s.FindByIDs(ctx, env, idsOf(all))
			var runs []runstore.Run
			for _, run := range found {
				runs = append(runs, run)
			}
			return runs, err
		},
		"FindOne": each(func(i int) ([]runstore.Run, error) {
			return one(s.FindOne(ctx, env, runstore.Filter{IDs: []string{all[i].ID}}))
		}),
		"FindMany": func() ([]runstore.Run, error) {
			return s.FindMany(ctx, runstore.Query{EnvironmentID: env, Filter: runstore.Filter{FriendlyIDs: friendly}})
		},
		"FindByIdempotencyKeys": func() ([]runstore.Run, error) {
			var keys []string
			for _, run := range all {
				keys = append(keys, "key of "+run.ID)
			}
			return s.FindByIdempotencyKeys(ctx, env, "task", keys)
		},
		"FindByIdempotencyKey": each(func(i int) ([]runstore.Run, error) {
			return s.FindByIdempotencyKey(ctx, env, "task", "key of "+all[i].ID)
		}),
		"FindByOneTimeUseToken": each(func(i int) ([]runstore.Run, error) {
			return s.FindByOneTimeUseToken(ctx, env, "token of "+all[i].ID)
		}),
		"FindPage": each(func(i int) ([]runstore.Run, error) {
			children, err := page(runstore.Filter{ParentRunID: &all[i].ID})
			tree, err2 := page(runstore.Filter{RootRunID: &all[i].ID})
			return append(children, tree...), errors.Join(err, err2)
		}),
		"FindFamily": each(func(i int) ([]runstore.Run, error) {
			of := all[i]
			of.EnvironmentID = env // also of a run that is another's
			family, err := s.FindFamily(ctx, of)
			for _, run := range []*runstore.Run{family.Parent, family.Root} {
				if run != nil {
					family.Children = append(family.Children, *run)
				}
			}
			return family.Children, err
		}),
		"FindChildren": func() ([]runstore.Run, error) {
			children, err := s.FindChildren(ctx, env, idsOf(all))
			var runs []runstore.Run
			for _, child := range children {
				at := slices.IndexFunc(all, func(run runstore.Run) bool { return run.ID == child.ID })
				runs = append(runs, all[at])
			}
			return runs, err
		},
		"FindBatchRuns": func() ([]runstore.Run, error) {
			var runs []runstore.Run
			names := []string{}
			for _, id := range friendly {
				names = append(names, id.String())
			}
			for _, id := range batches {
				some, err := s.FindBatchRuns(ctx, runstore.Batch{ID: id, EnvironmentID: env, RunIDs: names})
				if err != nil {
					return nil, err
				}
				runs = append(runs, some...)
			}
			return runs, nil
		},
		"FindBatchByIdempotencyKey": func() ([]runstore.Run, error) {
			var runs []runstore.Run
			for _, id := range batches {
				b, err := s.FindBatchByIdempotencyKey(ctx, env, "key of "+id)
				if err == nil {
					runs = append(runs, runstore.Run{ID: b.ID, EnvironmentID: b.EnvironmentID})
				} else if !errors.Is(err, runstore.ErrNotFound) {
					return nil, err
				}
			}
			return runs, nil
		},
		"FindBatchByFriendlyID": func() ([]runstore.Run, error) {
			var runs []runstore.Run
			for _, id := range batches {
				f, err := runid.ParseBatch("batch_" + id)
				if err != nil {
					return nil, err
				}
				b, err := s.FindBatchByFriendlyID(ctx, env, f)
				if err == nil {
					runs = append(runs, runstore.Run{ID: b.ID, EnvironmentID: b.EnvironmentID})
				} else if !errors.Is(err, runstore.ErrNotFound) {
					return nil, err
				}
			}
			return runs, nil
		},
	}
}

// TestNothingForeign: pointers to parents, roots and batches are plain values.
// Wherever they lead, no read gives a row of another environment, and none loses
// one of its own.
func TestNothingForeign(t *testing.T) {
	f := newFixture(t)
	ctx := context.Background()
	store := reflect.TypeFor[*runstore.Store]()
	tried := reads(ctx, f.store, "", nil, nil)
	for i := range store.NumMethod() {
		if name := store.Method(i).Name; strings.HasPrefix(name, "Find") && tried[name] == nil {
			t.Errorf("%s is not tried", name)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		unique := f.mint.Mint(runid.V2)
		envs := []string{"a" + unique, "b" + unique, "c" + unique}
		var ids, batches []string
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			ids = append(ids, f.mint.Mint(rapid.SampledFrom([]runid.Table{runid.Legacy, runid.V2}).Draw(t, "table")))
		}
		for range 2 {
			id := f.mint.Mint(runid.Legacy)
			if _, err := f.store.CreateBatch(ctx, runstore.NewBatch{ID: id, EnvironmentID: rapid.SampledFrom(envs).Draw(t, "batch's env"), IdempotencyKey: ptr("key of " + id)}); err != nil {
				t.Fatal(err)
			}
			batches = append(batches, id)
		}
		pointer := rapid.Ptr(rapid.SampledFrom(append(slices.Clone(ids), "gone", f.mint.Mint(runid.V2))), true)
		own := map[string]int{}
		var all []runstore.Run
		for _, id := range ids {
			r := f.newRun(runid.Legacy)
			r.ID, r.EnvironmentID = id, rapid.SampledFrom(envs).Draw(t, "env")
			r.ParentRunID, r.RootRunID = pointer.Draw(t, "parent"), pointer.Draw(t, "root")
			r.BatchID = rapid.Ptr(rapid.SampledFrom(batches), true).Draw(t, "batch")
			r.IdempotencyKey, r.OneTimeUseToken = ptr("key of "+id), ptr("token of "+id)
			run, err := f.store.Create(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, run)
			own[run.EnvironmentID]++
		}
		batchOf := map[string]string{}
		for _, env := range envs {
			for name, read := range reads(ctx, f.store, env, all, batches) {
				runs, err := read()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, run := range runs {
					if run.EnvironmentID != env {
						t.Fatalf("%s gave %s of %s to %s", name, run.ID, run.EnvironmentID, env)
					}
					if name == "FindRefByFriendlyID" && run.BatchID != nil {
						if was, ok := batchOf[*run.BatchID]; ok && was != env {
							t.Fatalf("batch %s is of %s and of %s", *run.BatchID, was, env)
						}
						batchOf[*run.BatchID] = env
					}
				}
				switch name {
				case "FindByID", "FindByFriendlyID", "FindRefByFriendlyID", "FindByIDs", "FindOne", "FindMany", "FindByIdempotencyKeys", "FindByIdempotencyKey", "FindByOneTimeUseToken":
					if len(runs) != own[env] {
						t.Fatalf("%s gave %d, want %d", name, len(runs), own[env])
					}
				}
			}
		}
	})
}
