package runstore

import "context"

// read asks the replica, and the primary where the replica has no row or cannot
// answer at all: a replica that is down takes nothing away. A caller who gave up
// is not asked for in vain a second time.
func read[T any](ctx context.Context, s *Store, ask func(DB) (T, error)) (T, error) {
	if s.replica != nil {
		if got, err := ask(s.replica); err == nil || ctx.Err() != nil {
			return got, err
		}
	}
	return ask(s.primary)
}
