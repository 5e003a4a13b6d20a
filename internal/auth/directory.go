package auth

import (
	"context"
	"errors"
)

// ErrUnknown is a Directory's answer for an environment that does not exist.
// Every other error means that it does not know, and is never a refusal.
var ErrUnknown = errors.New("no such environment")

// Directory finds environments. Implementations are safe for concurrent use,
// and their errors hold no key.
type Directory interface {
	// EnvironmentByID finds the environment with this id, or ErrUnknown.
	EnvironmentByID(ctx context.Context, id string) (*Entry, error)

	// EnvironmentByKey finds the environment whose root key this is, or
	// ErrUnknown.
	EnvironmentByKey(ctx context.Context, key Key) (*Entry, error)
}

// Entry is what a Directory knows of one environment.
type Entry struct {
	Environment Environment

	// Key is the environment's own root key.
	Key Key

	// SigningKeys verify the public tokens of the environment: the root key of
	// its parent if it has one, else its own. Tried in order.
	SigningKeys []Key

	// ProjectDeleted refuses every credential of the environment.
	ProjectDeleted bool
}
