package runstore

import (
	"context"
	"errors"
)

// read asks the replica, and the primary where the replica has no row or cannot
// answer at all: a replica that is down takes nothing away. A caller who gave up
// is not asked for in vain a second time, and a list that is too slow is so on both.
func read[T any](ctx context.Context, s *Store, ask func(DB) (T, error)) (T, error) {
	if s.replica != nil {
		if got, err := ask(s.replica); err == nil || ctx.Err() != nil || errors.Is(err, ErrTooSlow) {
			return got, err
		}
	}
	return ask(s.primary)
}
