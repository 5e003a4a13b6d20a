package auth

import (
	"context"
	"errors"
	"time"
)

// ErrUnknown is a Directory's answer for what does not exist. Every other error
// means that it does not know, and is never a refusal.
var ErrUnknown = errors.New("no such environment")

// Directory finds environments. Implementations are safe for concurrent use,
// and their errors hold no key. What they return is shared, and never changed.
//
// A Directory may know more than it must: see Branches and Rereader. An
// Authenticator asks for what there is.
type Directory interface {
	// EnvironmentByID finds the environment with this id, or ErrUnknown.
	EnvironmentByID(ctx context.Context, id string) (*Entry, error)

	// EnvironmentByKey finds the environment that this key opens, or
	// ErrUnknown. The Entry has a Grant. A key that was revoked at once opens
	// nothing; one that is valid up to some time is found also after it.
	EnvironmentByKey(ctx context.Context, key Key) (*Entry, error)
}

// Branches is a Directory that finds branch environments. Where there is none,
// no branch exists.
type Branches interface {
	// BranchEnvironment finds the environment of the branch with this name
	// under the parent, or ErrUnknown. An archived one is not found.
	BranchEnvironment(ctx context.Context, parentID, name string) (*Environment, error)
}

// Rereader is a Directory whose answers may be old, and that can do better.
type Rereader interface {
	// RereadEnvironmentByID is EnvironmentByID with an answer that is at most
	// a second old. It is asked for tokens that no known key signed: the key
	// may have been replaced since, and clients take a 401 as final.
	RereadEnvironmentByID(ctx context.Context, id string) (*Entry, error)
}

// Entry is what a Directory knows of one environment.
type Entry struct {
	Environment Environment

	// Key is the environment's own root key.
	Key Key

	// SigningKeys verify the public tokens of the environment: the root key of
	// its parent if it has one, else its own. Tried in order. Entries found by
	// key may do without.
	SigningKeys []Key

	// RevokedKeys were signing keys. Until they expire they verify what
	// SigningKeys do not.
	RevokedKeys []RevokedKey

	// ProjectDeleted refuses every credential of the environment.
	ProjectDeleted bool

	// Grant is what the key that was asked for opens; nil if an id was.
	Grant *Grant
}

// RevokedKey is a root key that was replaced, in its time of grace.
type RevokedKey struct {
	Key     Key
	Expires time.Time
}

// Grant is what one key opens in its environment.
type Grant struct {
	// Key is the key as the directory has it. Empty for an additional key, of
	// which there is only a hash.
	Key Key

	// Scopes is what the key may do.
	Scopes Scopes

	// Expires is when the key ends; the zero time if it does not.
	Expires time.Time
}
