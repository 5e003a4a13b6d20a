package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

func TestRootKey(t *testing.T) {
	a := newAuthenticator(newDirectory())
	for _, authorization := range []string{"Bearer " + prodKey, "bearer " + prodKey, "Bearer  " + prodKey + " ", prodKey} {
		p, err := a.Authenticate(t.Context(), header(authorization))
		if err != nil {
			t.Errorf("%q: %v", authorization, err)
			continue
		}
		want := auth.Environment{ID: prodID, OrganizationID: "org_" + prodID, ProjectID: "proj_" + prodID, Type: auth.Production}
		if diff := cmp.Diff(want, p.Environment); diff != "" {
			t.Errorf("%q: environment (-want +got):\n%s", authorization, diff)
		}
		if !p.May("write", auth.Resource{Type: "anything"}) || p.SkipColumns != nil || !p.Expires.IsZero() {
			t.Errorf("%q: %+v: a root key may do everything, for ever", authorization, p)
		}
	}
}

func TestRefusedHeaders(t *testing.T) {
	const missing, invalid = `{"error":"Invalid or Missing API key"}`, `{"error":"Invalid API key"}`
	d := newDirectory()
	a := newAuthenticator(d)
	for name, c := range map[string]struct {
		header http.Header
		body   string
		asks   bool // the directory
	}{
		"none":           {http.Header{}, missing, false},
		"empty":          {header(""), missing, false},
		"blank":          {header("Bearer  "), missing, false},
		"scheme only":    {header("Bearer"), missing, false},
		"two":            {http.Header{"Authorization": {"Bearer " + prodKey, "Bearer " + prodKey}}, invalid, false},
		"unknown":        {header("Bearer tr_prod_unknown"), invalid, true},
		"garbage":        {header("Bearer \x00\xff"), invalid, false},
		"other scheme":   {header("Basic " + prodKey), invalid, false},
		"two words":      {header("Bearer " + prodKey + " " + prodKey), invalid, false},
		"old public key": {header("Bearer pk_prod_x"), invalid, false},
		"8 KiB":          {header("Bearer " + strings.Repeat("x", 8<<10)), invalid, false},
		"1 MB":           {header("Bearer " + strings.Repeat("a.", 1<<19)), invalid, false},
		"three dots":     {header("Bearer a.b.c.d"), invalid, true},
		"not public":     {header("Bearer " + tokenOf(`{"alg":"HS256"}`, `{"sub":"cmprod","pub":"true"}`)), invalid, true},
		"deleted":        {header("Bearer " + goneKey), invalid, true},
	} {
		d.asked = 0
		p, err := a.Authenticate(t.Context(), c.header)
		if p != nil {
			t.Errorf("%s: let in as %+v", name, p.Environment)
		}
		wantError(t, name, err, 401, c.body)
		if asked := d.asked > 0; asked != c.asks {
			t.Errorf("%s: asked the directory: %v, want %v", name, asked, c.asks)
		}
	}
}

// A directory may find by its own idea of equality: a database with a
// case-insensitive collation, a cache.
type sloppyDirectory struct{ *directory }

func (d sloppyDirectory) EnvironmentByKey(ctx context.Context, key auth.Key) (*auth.Entry, error) {
	return d.directory.EnvironmentByKey(ctx, auth.Key(strings.ToLower(string(key))))
}

// grantlessDirectory finds by key as if by id.
type grantlessDirectory struct{ *directory }

func (d grantlessDirectory) EnvironmentByKey(ctx context.Context, _ auth.Key) (*auth.Entry, error) {
	return d.EnvironmentByID(ctx, prodID)
}

func TestFoundWithoutGrant(t *testing.T) {
	a := newAuthenticator(grantlessDirectory{newDirectory()})
	for _, key := range []string{prodKey, readKey} {
		_, err := a.Authenticate(t.Context(), header("Bearer "+key))
		wantError(t, "no grant", err, 401, `{"error":"Invalid API key"}`)
	}
}

func TestFoundKeyIsCompared(t *testing.T) {
	a := newAuthenticator(sloppyDirectory{newDirectory()})
	_, err := a.Authenticate(t.Context(), header("Bearer "+strings.ToUpper(prodKey)))
	wantError(t, "upper case", err, 401, `{"error":"Invalid API key"}`)
}

func TestDirectoryFault(t *testing.T) {
	d := newDirectory()
	d.fault = errors.New("connection refused")
	a := newAuthenticator(d)
	for _, authorization := range []string{prodKey, sign(t, prodKey, auth.Token{EnvironmentID: prodID})} {
		_, err := a.Authenticate(t.Context(), header("Bearer "+authorization))
		wantError(t, "fault", err, 503, `{"error":"Authentication is temporarily unavailable"}`)
		var e *auth.Error
		if errors.As(err, &e) && e.RetryAfter != time.Second {
			t.Errorf("RetryAfter is %v, want 1s", e.RetryAfter)
		}
		if !errors.Is(err, d.fault) {
			t.Errorf("%v does not wrap the directory's error", err)
		}
	}
}

// hangingDirectory never answers.
type hangingDirectory struct{ auth.Directory }

func (hangingDirectory) EnvironmentByKey(ctx context.Context, _ auth.Key) (*auth.Entry, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestLookupTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := newAuthenticator(hangingDirectory{}).Authenticate(t.Context(), header("Bearer "+prodKey))
		wantError(t, "hanging", err, 503, `{"error":"Authentication is temporarily unavailable"}`)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("gave up after %v, want 5s", took)
		}
	})
}

func TestRequire(t *testing.T) {
	p := &auth.Principal{Scopes: auth.ParseScopes([]string{"read:runs:run_1"})}
	if err := p.Require("read", auth.Resource{Type: "runs", ID: "run_1"}); err != nil {
		t.Errorf("granted: %v", err)
	}
	err := p.Require("read", auth.Resource{Type: "runs"})
	wantError(t, "under-scoped", err, 403,
		`{"error":"Unauthorized","code":"unauthorized","param":"access_token","type":"authorization"}`)
}

func TestConfigWithoutDirectory(t *testing.T) {
	if _, err := auth.NewAuthenticator(auth.Config{}); err == nil {
		t.Error("an Authenticator without a Directory was made")
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	e := entry(prodID, prodKey, auth.Production)
	marshalled, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"v": fmt.Sprintf("%v", e), "+v": fmt.Sprintf("%+v", e), "#v": fmt.Sprintf("%#v", e),
		"s": fmt.Sprintf("%s", e.Key), "x": fmt.Sprintf("%x", e.Key), "q": fmt.Sprintf("%q", e.SigningKeys),
		"print": fmt.Sprint(e.Key), "json": string(marshalled), "String": e.Key.String(),
	} {
		if strings.Contains(text, prodKey) || strings.Contains(text, fmt.Sprintf("%x", prodKey)) {
			t.Errorf("%s shows the key: %s", name, text)
		}
	}
}

// wantError checks an error's answer, and that nothing of it holds a secret.
func wantError(t *testing.T, name string, err error, status int, body string) {
	t.Helper()
	var e *auth.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: the error is %v, want an *auth.Error", name, err)
		return
	}
	if e.Status != status || string(e.Body()) != body {
		t.Errorf("%s: %d %s, want %d %s", name, e.Status, e.Body(), status, body)
	}
	if (e.RetryAfter > 0) != (status == 503) {
		t.Errorf("%s: RetryAfter is %v with a %d", name, e.RetryAfter, status)
	}
	for _, secret := range []string{prodKey, previewKey, goneKey, graceKey, expiredKey, readKey, endedKey, adminKey, "eyJ"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
	if len(err.Error()) > 200 {
		t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
	}
}
