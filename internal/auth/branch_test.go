package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

const (
	branchNeeded = "x-trigger-branch header required for preview env"
	noSuchBranch = "No matching branch env"
)

func TestBranchHeader(t *testing.T) {
	for _, c := range []struct {
		key, branch string
		want        string // an id, or a refusal
		asks        int    // questions to the directory
	}{
		{prodKey, "feature/x", prodID, 1}, // production has no branches: not looked at
		{otherKey, "feature/x", otherID, 1},
		{prodKey, "refs/heads/\x00", prodID, 1},
		{devKey, "", devID, 1},
		{devKey, "default", devID, 1},
		{devKey, "refs/heads/default", devID, 1},
		{devKey, "refs/notes/x", devID, 1}, // names no branch
		{devKey, "feature/x", devBranchID, 2},
		{devKey, "refs/heads/feature/x", devBranchID, 2},
		{devKey, "refs/heads/", noSuchBranch, 1}, // names the branch "", which is not none
		{devKey, "other", noSuchBranch, 2},
		{devBranchKey, "", devBranchID, 1},
		{devBranchKey, "feature/x", noSuchBranch, 2}, // a branch has no branches
		{previewKey, "", branchNeeded, 1},
		{previewKey, "refs/heads/", branchNeeded, 1},
		{previewKey, "refs/stash", branchNeeded, 1},
		{previewKey, "feature/x", branchID, 2},
		{previewKey, "default", branchID, 2}, // of a preview environment a branch like others
		{previewKey, "refs/heads/feature/x", branchID, 2},
		{previewKey, "refs/remotes/feature/x", branchID, 2},
		{previewKey, "refs/tags/feature/x", branchID, 2},
		{previewKey, "refs/pull/feature/x", branchID, 2},
		{previewKey, "refs/merge/feature/x", branchID, 2},
		{previewKey, "refs/release/feature/x", branchID, 2},
		{previewKey, "refs/heads/refs/heads/feature/x", noSuchBranch, 2}, // once
		{previewKey, "Feature/x", noSuchBranch, 2},
		{previewKey, "\xe9", branchID, 2}, // é as the platform's server reads it
		{previewKey, "é", noSuchBranch, 2},
		{previewKey, "a\x00b", noSuchBranch, 1},
		{previewKey, strings.Repeat("x", 513), noSuchBranch, 1},
		{branchKey, "", branchNeeded, 1},
		{branchKey, "feature/x", noSuchBranch, 2},
		{adminKey, "", branchNeeded, 1},
		{adminKey, "feature/x", branchID, 2},
	} {
		d := newDirectory()
		h := header("Bearer " + c.key)
		if c.branch != "" {
			h.Set("x-trigger-branch", c.branch)
		}
		p, err := newAuthenticator(d).Authenticate(t.Context(), h)
		name := fmt.Sprintf("%s, branch %.30q", c.key, c.branch)
		if !strings.HasPrefix(c.want, "cm") {
			wantError(t, name, err, 401, fmt.Sprintf(`{"error":%q}`, c.want))
		} else if err != nil || p.Environment.ID != c.want {
			t.Errorf("%s: %+v, %v; want %s", name, p, err, c.want)
		}
		if d.asked != c.asks {
			t.Errorf("%s: %d questions, want %d", name, d.asked, c.asks)
		}
	}
}

func TestTwoBranchHeadersAreOneName(t *testing.T) {
	h := header("Bearer " + previewKey)
	h["X-Trigger-Branch"] = []string{"feature/x", "default"}
	_, err := newAuthenticator(newDirectory()).Authenticate(t.Context(), h)
	wantError(t, "two", err, 401, `{"error":"No matching branch env"}`)
}

// A token names its environment itself.
func TestTokensIgnoreTheBranchHeader(t *testing.T) {
	h := header("Bearer " + sign(t, previewKey, auth.Token{EnvironmentID: branchID}))
	h.Set("x-trigger-branch", "other")
	p, err := newAuthenticator(newDirectory()).Authenticate(t.Context(), h)
	if err != nil || p.Environment.ID != branchID {
		t.Errorf("a token of a branch: %+v, %v", p, err)
	}
}

// plainDirectory finds environments and nothing else.
type plainDirectory struct{ auth.Directory }

func TestDirectoryWithoutBranches(t *testing.T) {
	a := newAuthenticator(plainDirectory{newDirectory()})
	for _, key := range []string{devKey, previewKey} {
		h := header("Bearer " + key)
		h.Set("x-trigger-branch", "feature/x")
		_, err := a.Authenticate(t.Context(), h)
		wantError(t, "no branches", err, 401, `{"error":"No matching branch env"}`)
	}
}

func TestBranchFault(t *testing.T) {
	d := newDirectory()
	d.branchFault = errors.New("connection refused")
	h := header("Bearer " + previewKey)
	h.Set("x-trigger-branch", "feature/x")
	_, err := newAuthenticator(d).Authenticate(t.Context(), h)
	wantError(t, "fault", err, 503, `{"error":"Authentication is temporarily unavailable"}`)
}
