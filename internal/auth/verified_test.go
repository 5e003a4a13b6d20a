package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// remembering is a directory that answers without being asked.
type remembering struct {
	*directory
	entry auth.Entry
	knows bool
}

func (r *remembering) Remembered(id string) (*auth.Entry, bool) {
	return &r.entry, r.knows && id == r.entry.Environment.ID
}

func (r *remembering) EnvironmentByID(ctx context.Context, id string) (*auth.Entry, error) {
	if _, err := r.directory.EnvironmentByID(ctx, id); err != nil {
		return nil, err
	}
	return &r.entry, nil
}

// A token that was good is not read again, and is refused all the same once anything
// that it hangs on has changed.
func TestAGoodTokenIsReadOnce(t *testing.T) {
	start := time.Unix(now.Unix(), 0)
	for name, c := range map[string]struct {
		change func(r *remembering, clock *time.Time)
		status int // 0: it is good
		asks   bool
	}{
		"nothing":                {change: func(*remembering, *time.Time) {}},
		"the last second":        {change: func(_ *remembering, clock *time.Time) { *clock = start.Add(time.Hour - time.Second) }},
		"it expired":             {change: func(_ *remembering, clock *time.Time) { *clock = start.Add(time.Hour) }, status: 401, asks: true},
		"before it was issued":   {change: func(_ *remembering, clock *time.Time) { *clock = start.Add(-time.Hour) }, asks: true},
		"the key was replaced":   {change: func(r *remembering, _ *time.Time) { r.entry.SigningKeys = []auth.Key{otherKey} }, status: 401, asks: true},
		"the project is deleted": {change: func(r *remembering, _ *time.Time) { r.entry.ProjectDeleted = true }, status: 401, asks: true},
		"another project":        {change: func(r *remembering, _ *time.Time) { r.entry.Environment.ProjectID = "moved" }, asks: true},
		"forgotten":              {change: func(r *remembering, _ *time.Time) { r.knows = false }, asks: true},
		"in its time of grace": {change: func(r *remembering, _ *time.Time) {
			r.entry.SigningKeys = []auth.Key{otherKey}
			r.entry.RevokedKeys = []auth.RevokedKey{{Key: prodKey, Expires: start.Add(time.Minute)}}
		}},
		"behind it": {change: func(r *remembering, clock *time.Time) {
			r.entry.SigningKeys = []auth.Key{otherKey}
			r.entry.RevokedKeys = []auth.RevokedKey{{Key: prodKey, Expires: start.Add(time.Minute)}}
			*clock = start.Add(time.Minute)
		}, status: 401, asks: true},
	} {
		clock := start
		d := newDirectory()
		r := &remembering{directory: d, entry: entry(prodID, prodKey, auth.Production), knows: true}
		a, err := auth.NewAuthenticator(auth.Config{Directory: r, Now: func() time.Time { return clock }})
		if err != nil {
			t.Fatal(err)
		}
		token, err := auth.Sign(prodKey, auth.Token{EnvironmentID: prodID, Scopes: []string{"read:runs"}, IssuedAt: start, Expires: start.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		first, err := a.Authenticate(t.Context(), header("Bearer "+token))
		if err != nil {
			t.Fatal(err)
		}
		c.change(r, &clock)
		d.asked = 0
		second, err := a.Authenticate(t.Context(), header("Bearer "+token))
		if refused, ok := errors.AsType[*auth.Error](err); c.status != 0 {
			if !ok || refused.Status != c.status {
				t.Errorf("%s: %v, want a %d", name, err, c.status)
			}
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if (second == first) == c.asks || second.Environment != r.entry.Environment || !second.May("read", auth.Resource{Type: "runs"}) {
			t.Errorf("%s: %+v", name, second)
		}
		if (d.asked > 0) != c.asks {
			t.Errorf("%s: the directory was asked %d times", name, d.asked)
		}
		// One byte of the signature makes another token, which nobody has found good.
		if _, err := a.Authenticate(t.Context(), header("Bearer "+token[:len(token)-2]+"xx")); err == nil {
			t.Errorf("%s: a token that was changed is good", name)
		}
	}
}
