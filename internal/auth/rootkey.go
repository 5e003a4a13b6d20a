package auth

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// rootKey is the secret key of an environment: the present one, or one that was
// replaced and is still in its time of grace. It recognises every text, because
// a key has no form that all of them share.
type rootKey struct{ keys }

func (rootKey) recognises(string) bool { return true }

func (c rootKey) authenticate(ctx context.Context, text string, header http.Header) (*Principal, error) {
	if strings.HasPrefix(text, "pk_") {
		return nil, refused(invalidKey, "pk_ keys are no longer accepted")
	}
	if !plain(text) {
		return nil, refused(invalidKey, "not of the form of a key")
	}
	entry, err := c.find(ctx, Key(text))
	if err != nil {
		return nil, err
	}
	// The database compares by its collation, and a cache by what it likes.
	if !entry.Grant.Key.equal(Key(text)) {
		return nil, refused(invalidKey, "the directory found another key")
	}
	return c.open(ctx, entry, header)
}

// keys is what the kinds of keys have in common.
type keys struct {
	directory Directory
	branches  branches
	now       func() time.Time
}

// find gives the entry of a key, with its Grant, which is good at this moment.
func (k keys) find(ctx context.Context, key Key) (*Entry, error) {
	entry, err := k.directory.EnvironmentByKey(ctx, key)
	if entry, err = found(entry, err, invalidKey); err != nil {
		return nil, err
	}
	if entry.Grant == nil {
		return nil, refused(invalidKey, "the directory does not say what the key opens")
	}
	// Checked here and now: the directory may remember what it says.
	if until := entry.Grant.Expires; !until.IsZero() && !k.now().Before(until) {
		return nil, refused(invalidKey, "the key has expired")
	}
	return entry, nil
}

// open makes the principal of a key that was checked.
func (k keys) open(ctx context.Context, entry *Entry, header http.Header) (*Principal, error) {
	environment, err := k.branches.meant(ctx, entry.Environment, header)
	if err != nil {
		return nil, err
	}
	return &Principal{Environment: environment, Scopes: entry.Grant.Scopes, Expires: entry.Grant.Expires}, nil
}
