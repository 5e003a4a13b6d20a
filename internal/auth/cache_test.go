package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

func newCache(t *testing.T, source auth.Source) *auth.Cache {
	t.Helper()
	c, err := auth.NewCache(auth.CacheConfig{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A poll loop of each kind of credential costs what its first request does.
func TestPollsCostNoQuery(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	for name, c := range map[string]struct {
		credential, branch string
		status             int // 0: let in
		queries            int
	}{
		"root key":           {prodKey, "", 0, 1},
		"key in grace":       {graceKey, "", 0, 1},
		"additional key":     {readKey, "", 0, 1},
		"key of a branch":    {previewKey, "feature/x", 0, 2},
		"token":              {sign(t, prodKey, auth.Token{EnvironmentID: prodID}), "", 0, 1},
		"token in grace":     {sign(t, graceKey, auth.Token{EnvironmentID: prodID}), "", 0, 1},
		"token of a branch":  {sign(t, previewKey, auth.Token{EnvironmentID: branchID}), "", 0, 1},
		"expired key":        {expiredKey, "", 401, 1},
		"forged token":       {sign(t, otherKey, auth.Token{EnvironmentID: prodID}), "", 401, 2},
		"unknown key":        {"tr_prod_nobody", "", 401, 1},
		"unknown additional": {"tr_prod_sk_0123456789abcdefABCDEFxz", "", 401, 1},
		"unknown branch":     {previewKey, "feature/y", 401, 2},
	} {
		t.Run(name, func(t *testing.T) {
			db := &counted{Querier: pool}
			a := newAuthenticator(newCache(t, auth.NewPostgresDirectory(db)))
			h := header("Bearer " + c.credential)
			if c.branch != "" {
				h.Set("X-Trigger-Branch", c.branch)
			}
			start, polls := time.Now(), 0
			for polls < 100 && time.Since(start) < time.Second/2 { // an unknown one is asked for again after a second
				_, err := a.Authenticate(t.Context(), h)
				var refused *auth.Error
				if c.status == 0 && err != nil || c.status != 0 && (!errors.As(err, &refused) || refused.Status != c.status) {
					t.Fatalf("poll %d: %v", polls, err)
				}
				polls++
			}
			if db.asked != c.queries || polls < 2 {
				t.Errorf("%d polls cost %d queries, want %d", polls, db.asked, c.queries)
			}
		})
	}
}

// versions is a source whose environment changes with every question.
type versions struct {
	key, id, reread, branch int
	err                     error
}

func version(n int) string { return fmt.Sprint("version ", n) }

func (v *versions) EnvironmentByID(context.Context, string) (*auth.Entry, error) {
	v.id++
	e := entry(version(v.id), prodKey, auth.Production)
	return &e, v.err
}

func (v *versions) EnvironmentByKey(context.Context, auth.Key) (*auth.Entry, error) {
	v.key++
	e := entry(version(v.key), prodKey, auth.Production)
	return &e, v.err
}

func (v *versions) RereadEnvironmentByID(context.Context, string) (*auth.Entry, error) {
	v.reread++
	e := entry(version(v.reread), prodKey, auth.Production)
	return &e, v.err
}

func (v *versions) BranchEnvironment(context.Context, string, string) (*auth.Environment, error) {
	v.branch++
	return &auth.Environment{ID: version(v.branch)}, v.err
}

func TestHowLongAnswersAreGivenAgain(t *testing.T) {
	idOf := func(e *auth.Entry, err error) (string, error) {
		if e == nil {
			return "", err
		}
		return e.Environment.ID, err
	}
	for name, ask := range map[string]func(context.Context, *auth.Cache) (string, error){
		"by id":  func(ctx context.Context, c *auth.Cache) (string, error) { return idOf(c.EnvironmentByID(ctx, "x")) },
		"by key": func(ctx context.Context, c *auth.Cache) (string, error) { return idOf(c.EnvironmentByKey(ctx, "x")) },
		"reread": func(ctx context.Context, c *auth.Cache) (string, error) {
			return idOf(c.RereadEnvironmentByID(ctx, "x"))
		},
		"branch": func(ctx context.Context, c *auth.Cache) (string, error) {
			b, err := c.BranchEnvironment(ctx, "x", "y")
			if err != nil {
				return "", err
			}
			return b.ID, nil
		},
	} {
		holds := 30 * time.Second
		if name == "reread" {
			holds = time.Second
		}
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				err  error
				wait time.Duration
				want string
			}{
				{nil, holds - 1, version(1)}, {nil, holds, version(2)},
				{auth.ErrUnknown, time.Second - 1, ""}, {auth.ErrUnknown, time.Second, version(2)},
				{errors.New("connection refused"), 0, version(2)},
			} {
				synctest.Test(t, func(t *testing.T) {
					v := &versions{err: c.err}
					cache := newCache(t, v)
					if _, err := ask(t.Context(), cache); !errors.Is(err, c.err) {
						t.Fatalf("%v, want %v", err, c.err)
					}
					v.err = nil
					time.Sleep(c.wait)
					got, err := ask(t.Context(), cache)
					if c.want == "" && !errors.Is(err, auth.ErrUnknown) || c.want != "" && (err != nil || got != c.want) {
						t.Errorf("first %v; after %v: %q, %v; want %q", c.err, c.wait, got, err, c.want)
					}
				})
			}
		})
	}
}

// Questions for different things are different, and a key is not an id.
func TestQuestionsAreToldApart(t *testing.T) {
	d := newDirectory()
	cache := newCache(t, &rotated{directory: d})
	a := newAuthenticator(cache)
	for range 2 {
		for key, id := range map[string]string{prodKey: prodID, otherKey: otherID, devKey: devID, graceKey: prodID} {
			p, err := a.Authenticate(t.Context(), header("Bearer "+key))
			if err != nil || p.Environment.ID != id {
				t.Errorf("%s: %+v, %v", key, p, err)
			}
		}
		for parent, id := range map[string]string{previewKey: branchID, devKey: devBranchID} {
			p, err := a.Authenticate(t.Context(), http.Header{"Authorization": {parent}, "X-Trigger-Branch": {"feature/x"}})
			if err != nil || p.Environment.ID != id {
				t.Errorf("the branch of %s: %+v, %v", parent, p, err)
			}
		}
		_, err := a.Authenticate(t.Context(), http.Header{"Authorization": {previewKey}, "X-Trigger-Branch": {"feature/y"}})
		wantError(t, "another branch", err, 401, `{"error":"No matching branch env"}`)
	}
}

// What expires is never remembered as valid.
func TestExpiryIsCheckedOnEveryRequest(t *testing.T) {
	d := newDirectory()
	d.entries[0].RevokedKeys = []auth.RevokedKey{{Key: graceKey, Expires: now.Add(time.Minute)}}
	d.grants[graceKey] = grant{prodID, auth.Grant{Key: graceKey, Scopes: auth.Everything(), Expires: now.Add(time.Minute)}}
	d.grants[readKey] = grant{prodID, auth.Grant{Scopes: auth.Everything(), Expires: now.Add(time.Minute)}}
	clock := now
	a, err := auth.NewAuthenticator(auth.Config{
		Directory: newCache(t, &rotated{directory: d, again: &d.entries[0]}), Now: func() time.Time { return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, credential := range map[string]string{
		"token":          tokenOf(goodHeader, payload(), hs256(prodKey)), // lives for a minute
		"token in grace": sign(t, graceKey, auth.Token{EnvironmentID: prodID}),
		"key in grace":   graceKey,
		"additional key": readKey,
	} {
		clock = now.Add(time.Minute - 1)
		if _, err := a.Authenticate(t.Context(), header("Bearer "+credential)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		asked := d.asked
		clock = now.Add(time.Minute)
		if _, err := a.Authenticate(t.Context(), header("Bearer "+credential)); err == nil {
			t.Errorf("%s: let in when it had expired", name)
		}
		if d.asked != asked {
			t.Errorf("%s: was asked for again, so that nothing was shown", name)
		}
	}
}

// A revoked key stops working within the bound, and a new one begins to.
func TestRotationBehindTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory()
		r := &rotated{directory: d}
		a := newAuthenticator(newCache(t, r))
		const newKey = "tr_prod_new"
		withOld := header("Bearer " + sign(t, prodKey, auth.Token{EnvironmentID: prodID}))
		withNew := header("Bearer " + sign(t, newKey, auth.Token{EnvironmentID: prodID}))
		if _, err := a.Authenticate(t.Context(), withOld); err != nil {
			t.Fatal(err)
		}
		renewed := entry(prodID, newKey, auth.Production)
		d.entries[0], r.again = renewed, &renewed
		for range 100 {
			if _, err := a.Authenticate(t.Context(), withNew); err != nil {
				t.Fatalf("signed with the new key: %v", err)
			}
		}
		if r.reread != 1 {
			t.Errorf("100 requests reread %d times", r.reread)
		}
		time.Sleep(30*time.Second - 1)
		if _, err := a.Authenticate(t.Context(), withOld); err != nil {
			t.Errorf("the old key ended before its answer was old: %v", err)
		}
		time.Sleep(time.Nanosecond)
		_, err := a.Authenticate(t.Context(), withOld)
		wantError(t, "after 30 s", err, 401, `{"error":"Public Access Token is invalid"}`)
	})
}

func TestCacheIsBounded(t *testing.T) {
	d := newDirectory()
	c, err := auth.NewCache(auth.CacheConfig{Source: &rotated{directory: d}, Entries: 2})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{prodID, otherID, devID}
	for _, id := range append(ids, devID, otherID) { // the last two are remembered
		if _, err := c.EnvironmentByID(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if d.asked != 3 {
		t.Fatalf("asked %d times", d.asked)
	}
	if _, err := c.EnvironmentByID(t.Context(), prodID); err != nil || d.asked != 4 {
		t.Errorf("%v; asked %d times: the third of two is still remembered", err, d.asked)
	}
}

func TestCacheConfigWithoutSource(t *testing.T) {
	if _, err := auth.NewCache(auth.CacheConfig{}); err == nil {
		t.Error("a Cache without a Source was made")
	}
}
