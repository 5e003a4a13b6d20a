package runstore_test

import (
	"context"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

func (n *naive) CreateBatch(_ context.Context, b runstore.NewBatch) (runstore.Batch, error) {
	if b.ID == "" || b.EnvironmentID == "" {
		return runstore.Batch{}, &runstore.InvalidError{}
	}
	batch := runstore.Batch{
		ID: b.ID, FriendlyID: "batch_" + b.ID, EnvironmentID: b.EnvironmentID, Status: runstore.BatchPending, CreatedAt: n.or(b.CreatedAt), UpdatedAt: n.now(),
		RunIDs: plus(b.RunIDs), RunCount: b.RunCount, BatchVersion: "runengine:v2", IdempotencyKey: b.IdempotencyKey, OneTimeUseToken: b.OneTimeUseToken, Options: b.Options,
	}
	if !b.Open {
		batch.Sealed, batch.SealedAt = true, ptr(n.now())
	}
	var taken alike
	for _, is := range n.primary.batches {
		taken = append(taken, broken("BatchTaskRun", map[runstore.Unique]bool{
			runstore.UniqueID: is.ID == batch.ID, runstore.UniqueFriendlyID: is.FriendlyID == batch.FriendlyID,
			runstore.UniqueOneTimeUseToken: both(is.OneTimeUseToken, batch.OneTimeUseToken),
			runstore.UniqueIdempotencyKey:  is.EnvironmentID == batch.EnvironmentID && both(is.IdempotencyKey, batch.IdempotencyKey),
		})...)
	}
	if taken != nil {
		return runstore.Batch{}, taken
	}
	n.primary.batches = append(n.primary.batches, batch)
	return batch, nil
}

// changeBatch changes one batch, if it is as it has to be; else there is none.
func (n *naive) changeBatch(key runstore.Key, is func(b runstore.Batch) bool, set func(b *runstore.Batch)) (runstore.Batch, error) {
	for i := range n.primary.batches {
		if b := &n.primary.batches[i]; b.ID == key.ID && b.EnvironmentID == key.EnvironmentID && is(*b) {
			set(b)
			b.UpdatedAt = n.now()
			return *b, nil
		}
	}
	return runstore.Batch{}, runstore.ErrNotFound
}

func (n *naive) SealBatch(_ context.Context, key runstore.Key, runIDs []string) (runstore.Batch, error) {
	open := func(b runstore.Batch) bool { return !b.Sealed }
	return n.changeBatch(key, open, func(b *runstore.Batch) { b.RunIDs, b.Sealed, b.SealedAt = plus(runIDs), true, ptr(n.now()) })
}

func (n *naive) CompleteBatch(_ context.Context, key runstore.Key, o runstore.BatchOutcome) (runstore.Batch, error) {
	any := func(runstore.Batch) bool { return true }
	return n.changeBatch(key, any, func(b *runstore.Batch) {
		b.Status, b.CompletedAt, b.Successful, b.Failed = o.Status, ptr(n.now()), &o.Successful, &o.Failed
	})
}

func (n *naive) FindBatchByFriendlyID(_ context.Context, env string, id runid.Friendly) (runstore.Batch, error) {
	return named(n, func(from *rows) (runstore.Batch, bool) {
		for _, b := range from.batches {
			if b.EnvironmentID == env && b.FriendlyID == id.String() {
				return b, true
			}
		}
		return runstore.Batch{}, false
	})
}

func (n *naive) FindBatchByIdempotencyKey(_ context.Context, env, key string) (runstore.Batch, error) {
	for _, b := range n.primary.batches {
		if b.EnvironmentID == env && both(b.IdempotencyKey, &key) {
			return b, nil
		}
	}
	return runstore.Batch{}, runstore.ErrNotFound
}

func (n *naive) FindBatchRuns(_ context.Context, b runstore.Batch) ([]runstore.Run, error) {
	oldest := n.listed().find(b.EnvironmentID, runstore.Filter{})
	var runs []runstore.Run
	for _, name := range b.RunIDs { // as the batch has them
		for _, run := range oldest {
			if run.FriendlyID == name {
				runs = append(runs, run)
			}
		}
	}
	for _, run := range oldest { // and those that it does not name
		if both(run.BatchID, &b.ID) && !contains(runs, run.ID) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func contains(runs []runstore.Run, id string) bool {
	for _, run := range runs {
		if run.ID == id {
			return true
		}
	}
	return false
}
