package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

const (
	branchHeader  = "X-Trigger-Branch"
	defaultBranch = "default" // of a development environment: the environment itself
)

// refs are the prefixes that git gives names of branches; the platform takes
// them off. Below refs/ there is nothing else that it knows.
var refs = []string{"refs/heads/", "refs/remotes/", "refs/tags/", "refs/pull/", "refs/merge/", "refs/release/"}

// branchOf is the branch that a request names, by the platform's rules; ok is
// false when it names none. A bare prefix names the branch "", which is not
// none: it does not exist.
func branchOf(header http.Header) (name string, ok bool) {
	name = latin1(strings.Join(header.Values(branchHeader), ", "))
	if name == "" {
		return "", false
	}
	for _, prefix := range refs {
		if rest, found := strings.CutPrefix(name, prefix); found {
			return rest, true
		}
	}
	if strings.HasPrefix(name, "refs/") {
		return "", false
	}
	return name, true
}

// latin1 reads the bytes of a header as the platform's server does, each as one
// character. The result is text whatever the bytes were.
func latin1(bytes string) string {
	var b strings.Builder
	for i := range len(bytes) {
		b.WriteRune(rune(bytes[i]))
	}
	return b.String()
}

// maxBranch bounds the name of a branch, in bytes. Git's own files end at 255.
const maxBranch = 512

// possible says whether a branch can have this name. What cannot be is not
// asked for: a NUL would come back as a fault of the database, and so as a 503.
func possible(branch string) bool {
	return branch != "" && len(branch) <= maxBranch &&
		!strings.ContainsFunc(branch, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// branches finds the environment that a request with a key means: the key's
// own, or the branch of it that a header names. Branches are environments of
// their own, and hold runs of their own.
type branches struct{ directory Branches } // nil: there are none

func (b branches) meant(ctx context.Context, own Environment, header http.Header) (Environment, error) {
	name, named := branchOf(header)
	switch own.Type {
	case Preview: // holds nothing itself
		if name == "" {
			return Environment{}, refused(needsBranch, "no branch was named")
		}
	case Development:
		if !named || name == defaultBranch {
			return own, nil
		}
	default: // has no branches: the header is not looked at
		return own, nil
	}
	if b.directory == nil || !possible(name) {
		return Environment{}, refused(noBranch, "there can be no such branch")
	}
	branch, err := b.directory.BranchEnvironment(ctx, own.ID, name)
	switch {
	case errors.Is(err, ErrUnknown):
		return Environment{}, refused(noBranch, "no such branch")
	case err != nil:
		return Environment{}, notChecked(err)
	}
	return *branch, nil
}
