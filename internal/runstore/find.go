package runstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Ref is what a run is and whom it belongs to, without what may be large:
// enough to say who may see the run, and to find it.
type Ref struct {
	ID              string   `db:"id"`
	FriendlyID      string   `db:"friendlyId"`
	EnvironmentID   string   `db:"runtimeEnvironmentId"`
	TaskIdentifier  string   `db:"taskIdentifier"`
	Tags            []string `db:"runTags"`
	BatchID         *string  `db:"batchId"`
	BatchFriendlyID *string  `db:"batchFriendlyId"` // of a batch in the same environment
}

// Table is the table that the run is in.
func (r Ref) Table() runid.Table { return runid.Home(r.ID) }

// FindByFriendlyID reads a run from the one table where it can be. No such run
// in the environment is ErrNotFound.
func (s *Store) FindByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (Run, error) {
	return find[Run](ctx, s, runid.Run, s.runs[id.Home()].findByFriendlyID, environmentID, id)
}

// FindRefByFriendlyID is FindByFriendlyID for whoever does not need the payload.
func (s *Store) FindRefByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (Ref, error) {
	return find[Ref](ctx, s, runid.Run, s.runs[id.Home()].findRefByFriendlyID, environmentID, id)
}

// FindBatchByFriendlyID reads a batch. No such batch in the environment is
// ErrNotFound.
func (s *Store) FindBatchByFriendlyID(ctx context.Context, environmentID string, id runid.Friendly) (Batch, error) {
	return find[Batch](ctx, s, runid.Batch, s.batch.findByFriendlyID, environmentID, id)
}

// find looks for a row by its friendly id.
func find[T any](ctx context.Context, s *Store, kind runid.Kind, sql, environmentID string, id runid.Friendly) (T, error) {
	doing := "find a " + kind.String()
	if id.Kind() != kind || id.Suffix() == "" {
		var none T
		return none, wrap(doing, ErrNotFound)
	}
	args := pgx.NamedArgs{"environment": environmentID, "friendlyId": id.String()}
	found, err := read(ctx, s, func(db DB) (T, error) { return one[T](ctx, db, sql, args) })
	return found, wrap(doing, err)
}
