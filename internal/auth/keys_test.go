package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

func TestKeysInGraceAndAdditionalKeys(t *testing.T) {
	a := newAuthenticator(newDirectory())
	runs := auth.Resource{Type: "runs"}
	for name, c := range map[string]struct {
		key         string
		read, write bool
		expires     time.Time
	}{
		"in grace":   {graceKey, true, true, now.Add(1)},
		"additional": {readKey, true, false, now.Add(time.Hour)},
	} {
		p, err := a.Authenticate(t.Context(), header("Bearer "+c.key))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Environment.ID != prodID || !p.Expires.Equal(c.expires) || p.SkipColumns != nil {
			t.Errorf("%s: %+v", name, p)
		}
		if p.May("read", runs) != c.read || p.May("write", runs) != c.write {
			t.Errorf("%s: may read: %v, write: %v", name, p.May("read", runs), p.May("write", runs))
		}
	}
	for name, key := range map[string]string{
		"grace is over":          expiredKey,
		"additional key ended":   endedKey,
		"unknown additional key": "tr_dev_sk_0123456789abcdefABCDEFxy",
		"personal token":         "tr_pat_0123456789abcdefABCDEFxy",
		"of no kind of env":      "tr_live_sk_0123456789abcdefABCDEFxy",
	} {
		p, err := a.Authenticate(t.Context(), header("Bearer "+key))
		if p != nil {
			t.Errorf("%s: let in as %+v", name, p.Environment)
		}
		wantError(t, name, err, 401, `{"error":"Invalid API key"}`)
	}
}

// What a key opens is the directory's to say, but the directory must have had
// the same key: for additional keys it compares hashes, for all others the
// package compares again.
func TestFormOfAdditionalKeys(t *testing.T) {
	wrongKey := auth.Grant{Key: "another", Scopes: auth.Everything()}
	for key, additional := range map[string]bool{
		"tr_dev_sk_0123456789abcdefABCDEFxy":      true,
		"tr_stg_sk_0123456789abcdefABCDEFxy":      true,
		"tr_prod_sk_0123456789abcdefABCDEFxy":     true,
		"tr_preview_sk_0123456789abcdefABCDEFxy":  true,
		"tr_prod_sk_0123456789abcdefABCDEFx":      false,
		"tr_prod_sk_0123456789abcdefABCDEFxyz":    false,
		"tr_prod_sk_0123456789abcdefABCDEFx-":     false,
		"tr_prod_0123456789abcdefABCDEFxyz":       false,
		"xtr_prod_sk_0123456789abcdefABCDEFxy":    false,
		"tr_staging_sk_0123456789abcdefABCDEFxy":  false,
		"TR_PROD_SK_0123456789abcdefABCDEFxy":     false,
		"tr_prod_sk_0123456789abcdefABCDEFxy.a.b": false,
	} {
		d := newDirectory()
		d.grants = map[string]grant{key: {prodID, wrongKey}}
		_, err := newAuthenticator(d).Authenticate(t.Context(), header("Bearer "+key))
		if (err == nil) != additional {
			t.Errorf("%s is taken as an additional key: %v, want %v", key, err == nil, additional)
		}
	}
}

// rotated is a directory that remembers an environment as it was: only asked
// again it knows the new key.
type rotated struct {
	*directory
	again    *auth.Entry
	againErr error
	reread   int
}

func (d *rotated) RereadEnvironmentByID(context.Context, string) (*auth.Entry, error) {
	d.reread++
	return d.again, d.againErr
}

func TestRevokedKeysSign(t *testing.T) {
	const older, ended = "tr_prod_older", "tr_prod_ended"
	d := newDirectory()
	d.entries[0].RevokedKeys = []auth.RevokedKey{
		{Key: graceKey, Expires: now.Add(time.Hour)}, {Key: "", Expires: now.Add(time.Hour)},
		{Key: older, Expires: now.Add(1)}, {Key: ended, Expires: now}, {Key: "tr_prod_never"},
	}
	counting := &rotated{directory: d, again: &d.entries[0]}
	a := newAuthenticator(counting)
	for key, valid := range map[string]bool{
		prodKey: true, graceKey: true, older: true, ended: false, "": false, otherKey: false, "tr_prod_never": false,
	} {
		counting.reread = 0
		token := tokenOf(goodHeader, payload(), hs256(key))
		p, err := a.Authenticate(t.Context(), header("Bearer "+token))
		if valid && (err != nil || p.Environment.ID != prodID || counting.reread != 0) {
			t.Errorf("signed with %q: %v, and reread %d times", key, err, counting.reread)
		}
		if !valid {
			wantError(t, "signed with "+key, err, 401, `{"error":"Public Access Token is invalid"}`)
		}
	}
	// A revoked key mends a signature and nothing else.
	counting.reread = 0
	for _, change := range [][]string{{"exp", "1"}, {"iss", `"x"`}, {"sub", `"cmother"`}} {
		token := tokenOf(goodHeader, payload(change...), hs256(graceKey))
		_, err := a.Authenticate(t.Context(), header("Bearer "+token))
		wantError(t, change[0], err, 401, `{"error":"Public Access Token is invalid"}`)
	}
	if counting.reread != 1 { // for another environment's token, whose signature fits no key
		t.Errorf("reread %d times", counting.reread)
	}
}

func TestKeyReplacedSinceItWasRemembered(t *testing.T) {
	const newKey = "tr_prod_new"
	renewed := entry(prodID, newKey, auth.Production)
	gone := renewed
	gone.ProjectDeleted = true
	bySigner := func(key string) string { return tokenOf(goodHeader, payload(), hs256(key)) }
	for name, c := range map[string]struct {
		token   string
		again   *auth.Entry
		err     error
		status  int // 0: let in
		body    string
		rereads int
	}{
		"signed with the new key":  {bySigner(newKey), &renewed, nil, 0, "", 1},
		"signed with the old key":  {bySigner(prodKey), &renewed, nil, 0, "", 0}, // it is remembered
		"signed with another":      {bySigner(otherKey), &renewed, nil, 401, `{"error":"Public Access Token is invalid"}`, 1},
		"expired":                  {tokenOf(goodHeader, payload("exp", "1"), hs256(prodKey)), &renewed, nil, 401, `{"error":"Public Access Token is invalid"}`, 0},
		"malformed":                {tokenOf(`x`, payload(), hs256(newKey)), &renewed, nil, 401, `{"error":"Public Access Token is invalid"}`, 0},
		"deleted since":            {bySigner(newKey), &gone, nil, 401, `{"error":"Invalid Public Access Token"}`, 1},
		"not there any more":       {bySigner(newKey), nil, auth.ErrUnknown, 401, `{"error":"Invalid Public Access Token"}`, 1},
		"could not be asked again": {bySigner(newKey), nil, context.DeadlineExceeded, 503, `{"error":"Authentication is temporarily unavailable"}`, 1},
	} {
		d := &rotated{directory: newDirectory(), again: c.again, againErr: c.err}
		_, err := newAuthenticator(d).Authenticate(t.Context(), header("Bearer "+c.token))
		if c.status == 0 && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.status != 0 {
			wantError(t, name, err, c.status, c.body)
		}
		if d.reread != c.rereads {
			t.Errorf("%s: reread %d times, want %d", name, d.reread, c.rereads)
		}
	}
}
