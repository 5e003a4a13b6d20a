package runstore_test

import (
	"context"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// finds are the store's methods that read, and those that only give another store. Those
// that take a filter are given this one.
func (f fixture) finds(ctx context.Context, run runstore.Run, batch runstore.Batch, of runstore.Filter) map[string]func() error {
	s, key, friend := f.store, run.Key(), parsed(run.FriendlyID)
	found := func(_ any, err error) error { return err }
	page := runstore.Query{EnvironmentID: env, Filter: of, Order: runstore.NewestFirst, Limit: 1}
	return map[string]func() error{
		"FindByID":            func() error { return found(s.FindByID(ctx, key)) },
		"FindByFriendlyID":    func() error { return found(s.FindByFriendlyID(ctx, env, friend)) },
		"FindRefByFriendlyID": func() error { return found(s.FindRefByFriendlyID(ctx, env, friend)) },
		"FindByIDs":           func() error { return found(s.FindByIDs(ctx, env, []string{run.ID})) },
		"FindOne":             func() error { return found(s.FindOne(ctx, env, of)) },
		"FindMany":            func() error { return found(s.FindMany(ctx, runstore.Query{EnvironmentID: env, Filter: of})) },
		"FindPage":            func() error { return found(s.FindPage(ctx, page)) },
		"Count":               func() error { return found(s.Count(ctx, env, of)) },
		"FindByIdempotencyKeys": func() error {
			return found(s.FindByIdempotencyKeys(ctx, env, run.TaskIdentifier, []string{"k"}))
		},
		"FindByIdempotencyKey":  func() error { return found(s.FindByIdempotencyKey(ctx, env, run.TaskIdentifier, "k")) },
		"FindByOneTimeUseToken": func() error { return found(s.FindByOneTimeUseToken(ctx, env, "t")) },
		"FindFamily":            func() error { return found(s.FindFamily(ctx, run)) },
		"FindChildren":          func() error { return found(s.FindChildren(ctx, env, []string{run.ID})) },
		"FindBatchRuns":         func() error { return found(s.FindBatchRuns(ctx, batch)) },
		"FindBatchByFriendlyID": func() error {
			id, err := runid.ParseBatch(batch.FriendlyID)
			if err != nil {
				return err
			}
			return found(s.FindBatchByFriendlyID(ctx, env, id))
		},
		"FindBatchByIdempotencyKey": func() error { return found(s.FindBatchByIdempotencyKey(ctx, env, *batch.IdempotencyKey)) },
		"EnvironmentsWithRuns":      func() error { return found(s.EnvironmentsWithRuns(ctx, [2][]string{{env}, {env}})) },
		"WithLocked": func() error {
			return s.WithLocked(ctx, key, func(*runstore.Store, runstore.Run) error { return nil })
		},
		"In":        func() error { s.In(f.pool); return nil },
		"OnPrimary": func() error { s.OnPrimary(); return nil },
	}
}
