package auth

import (
	"context"
	"net/http"
	"strings"
)

const (
	branchHeader  = "X-Trigger-Branch"
	defaultBranch = "default" // of a development environment: the environment itself
)

// rootKey is the secret key of an environment. It recognises every text,
// because a key has no form that all of them share.
type rootKey struct{ directory Directory }

func (rootKey) recognises(string) bool { return true }

func (c rootKey) authenticate(ctx context.Context, text string, header http.Header) (*Principal, error) {
	if strings.HasPrefix(text, "pk_") {
		return nil, refused(invalidKey, "pk_ keys are no longer accepted")
	}
	if !plain(text) {
		return nil, refused(invalidKey, "not of the form of a key")
	}
	key := Key(text)
	entry, err := c.directory.EnvironmentByKey(ctx, key)
	if entry, err = found(entry, err, invalidKey); err != nil {
		return nil, err
	}
	// The database compares by its collation, and a cache by what it likes.
	if !entry.Key.equal(key) {
		return nil, refused(invalidKey, "the directory found another key")
	}
	if err := itself(entry.Environment.Type, header); err != nil {
		return nil, err
	}
	return &Principal{Environment: entry.Environment, Scopes: Everything()}, nil
}

// itself makes sure that the request means the environment whose key it sent,
// and not one of its branches: those are environments of their own, opened with
// the parent's key and a header that names them. This package finds no
// branches, and to answer with the parent's rows would be the wrong tenant's.
// Preview environments hold nothing themselves and always need a branch; the
// types that have no branches ignore the header.
func itself(t EnvironmentType, header http.Header) error {
	branch := header.Get(branchHeader)
	switch {
	case t == Preview && branch == "":
		return refused(needsBranch, "no branch was named")
	case t == Preview, t == Development && branch != "" && branch != defaultBranch:
		return refused(noBranch, "branch environments are not served")
	}
	return nil
}
