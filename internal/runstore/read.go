package runstore

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// OnPrimary is the same store, reading from the primary only: for whoever has
// just written, and for whoever acts upon what he finds.
func (s *Store) OnPrimary() *Store { return s.In(s.primary) }

// FindByID reads a run from the one table where it can be. No such run in the
// environment is ErrNotFound.
func (s *Store) FindByID(ctx context.Context, key Key) (Run, error) {
	run, err := read(ctx, s, func(db DB) (Run, error) {
		return one[Run](ctx, db, s.statements(key).findByID, pgx.NamedArgs{"id": key.ID, "environment": key.EnvironmentID})
	})
	return run, wrap("find a run", err)
}

// FindByIDs reads many runs by their ids, in one query whatever the ids' formats.
// What the environment does not have is not in the map. Ids that the replica
// does not have are looked for on the primary, in one more.
func (s *Store) FindByIDs(ctx context.Context, environmentID string, ids []string) (map[string]Run, error) {
	found := make(map[string]Run, len(ids))
	add := func(from *Store, ids []string) error {
		runs, err := from.FindMany(ctx, Query{EnvironmentID: environmentID, Filter: Filter{IDs: orEmpty(ids)}})
		for _, run := range runs {
			found[run.ID] = run
		}
		return err
	}
	err := add(s, ids)
	if err != nil || s.replica == nil {
		return found, err
	}
	var missing []string
	for _, id := range ids {
		if _, ok := found[id]; !ok {
			missing = append(missing, id)
		}
	}
	if missing == nil {
		return found, nil
	}
	return found, add(s.OnPrimary(), missing)
}

// FindOne reads the newest run that a filter selects. None is ErrNotFound. One
// that the replica does not have is looked for on the primary.
func (s *Store) FindOne(ctx context.Context, environmentID string, f Filter) (Run, error) {
	q := Query{EnvironmentID: environmentID, Filter: f, Order: NewestFirst, Limit: 1}
	runs, err := s.FindMany(ctx, q)
	if err == nil && len(runs) == 0 && s.replica != nil {
		runs, err = s.OnPrimary().FindMany(ctx, q)
	}
	if err == nil && len(runs) == 0 {
		err = wrap("find a run", pgx.ErrNoRows)
	}
	if err != nil {
		return Run{}, err
	}
	return runs[0], nil
}
