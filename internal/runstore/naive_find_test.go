package runstore_test

import (
	"context"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// run is the run of an environment for which something holds, wherever one looks who
// asks for it by name.
func (n *naive) run(env string, is func(r runstore.Run) bool) (runstore.Run, error) {
	return named(n, func(from *rows) (runstore.Run, bool) {
		for _, run := range from.runs {
			if run.EnvironmentID == env && is(run) {
				return run, true
			}
		}
		return runstore.Run{}, false
	})
}

func (n *naive) FindByID(_ context.Context, key runstore.Key) (runstore.Run, error) {
	return n.run(key.EnvironmentID, func(r runstore.Run) bool { return r.ID == key.ID })
}

func (n *naive) FindByFriendlyID(_ context.Context, env string, id runid.Friendly) (runstore.Run, error) {
	return n.run(env, func(r runstore.Run) bool { return r.FriendlyID == id.String() })
}

func (n *naive) FindRefByFriendlyID(_ context.Context, env string, id runid.Friendly) (runstore.Ref, error) {
	return named(n, func(from *rows) (runstore.Ref, bool) {
		for _, r := range from.runs {
			if r.EnvironmentID == env && r.FriendlyID == id.String() {
				ref := runstore.Ref{
					ID: r.ID, FriendlyID: r.FriendlyID, EnvironmentID: r.EnvironmentID, TaskIdentifier: r.TaskIdentifier, Tags: r.Tags, BatchID: r.BatchID,
				}
				for _, b := range from.batches { // the environment's own
					if b.EnvironmentID == env && both(&b.ID, r.BatchID) {
						ref.BatchFriendlyID = &b.FriendlyID
					}
				}
				return ref, true
			}
		}
		return runstore.Ref{}, false
	})
}

func (n *naive) FindByIDs(_ context.Context, env string, ids []string) (map[string]runstore.Run, error) {
	found := map[string]runstore.Run{}
	for _, id := range ids {
		if run, err := n.run(env, func(r runstore.Run) bool { return r.ID == id }); err == nil {
			found[id] = run
		}
	}
	return found, nil
}

func (n *naive) FindOne(_ context.Context, env string, f runstore.Filter) (runstore.Run, error) {
	if wrong(f) {
		return runstore.Run{}, &runstore.InvalidError{}
	}
	return named(n, func(from *rows) (runstore.Run, bool) {
		runs := from.find(env, f)
		if len(runs) == 0 {
			return runstore.Run{}, false
		}
		return runs[len(runs)-1], true
	})
}

func (n *naive) Count(_ context.Context, env string, f runstore.Filter) (int64, error) {
	if wrong(f) {
		return 0, &runstore.InvalidError{}
	}
	return int64(len(n.listed().find(env, f))), nil
}

// FindByIdempotencyKeys gives v2's first.
func (n *naive) FindByIdempotencyKeys(_ context.Context, env, task string, keys []string) ([]runstore.Run, error) {
	runs := n.primary.find(env, runstore.Filter{TaskIdentifiers: []string{task}, IdempotencyKeys: plus(keys)})
	slices.SortStableFunc(runs, v2First)
	return runs, nil
}

func v2First(a, b runstore.Run) int { return int(b.Table()) - int(a.Table()) }

func (n *naive) FindByIdempotencyKey(ctx context.Context, env, task, key string) ([]runstore.Run, error) {
	return n.FindByIdempotencyKeys(ctx, env, task, []string{key})
}

func (n *naive) FindByOneTimeUseToken(_ context.Context, env, token string) ([]runstore.Run, error) {
	var runs []runstore.Run
	for _, run := range n.primary.find(env, runstore.Filter{}) {
		if both(run.OneTimeUseToken, &token) {
			runs = append(runs, slim(run))
		}
	}
	return runs, nil
}

// slim is a run without what may be large.
func slim(r runstore.Run) runstore.Run {
	r.Payload, r.SeedMetadata, r.Output, r.Context, r.TraceContext = "", nil, nil, nil, nil
	return r
}

func (n *naive) FindChildren(_ context.Context, env string, parents []string) ([]runstore.Child, error) {
	var children []runstore.Child
	for _, run := range n.primary.find(env, runstore.Filter{}) {
		if run.ParentRunID != nil && slices.Contains(parents, *run.ParentRunID) {
			children = append(children, runstore.Child{ID: run.ID, Status: run.Status, ParentRunID: *run.ParentRunID})
		}
	}
	return children, nil
}

// FindFamily finds whom the run's own environment has, whatever the pointers say.
func (n *naive) FindFamily(_ context.Context, of runstore.Run) (runstore.Family, error) {
	var family runstore.Family
	for _, run := range n.listed().find(of.EnvironmentID, runstore.Filter{}) {
		run := slim(run)
		if both(&run.ID, of.RootRunID) {
			family.Root = &run
		}
		if both(&run.ID, of.ParentRunID) {
			family.Parent = &run
		}
		if both(run.ParentRunID, &of.ID) {
			family.Children = append(family.Children, run)
		}
	}
	return family, nil
}

func (n *naive) EnvironmentsWithRuns(_ context.Context, asked [2][]string) (found [2][]string, err error) {
	for _, table := range runid.Tables() {
		for _, env := range asked[table] {
			if slices.ContainsFunc(n.primary.in(table), func(r runstore.Run) bool { return r.EnvironmentID == env }) {
				found[table] = append(found[table], env)
			}
		}
	}
	return found, nil
}
