package platform

import (
	"context"
	"errors"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// batches are the friendly ids of batches that are there, in the environment of those
// who name them, by their ids; nil for one that is not.
type batches map[string]*string

// of is the batch of a run, as it is shown.
func (b batches) of(run runstore.Run) *string {
	if run.BatchID == nil {
		return nil
	}
	return b[*run.BatchID]
}

// batchesOf looks for the batches of a run and its family. What a run has is a plain
// value: the batch may be no more, or another environment's. Each batch is asked for
// once, through one of its runs.
func (p *platform) batchesOf(ctx context.Context, run runstore.Run, kin runstore.Family) (batches, error) {
	all := append([]runstore.Run{run}, kin.Children...)
	for _, above := range []*runstore.Run{kin.Root, kin.Parent} {
		if above != nil {
			all = append(all, *above)
		}
	}
	in := batches{}
	for _, one := range all {
		if one.BatchID == nil {
			continue
		}
		if _, known := in[*one.BatchID]; known {
			continue
		}
		id, err := runid.ParseRun(one.FriendlyID)
		if err != nil {
			continue // nobody can ask for such a run
		}
		ref, err := p.config.Store.FindRefByFriendlyID(ctx, one.EnvironmentID, id)
		if err != nil && !errors.Is(err, runstore.ErrNotFound) {
			return nil, err
		}
		in[*one.BatchID] = ref.BatchFriendlyID
	}
	return in, nil
}
