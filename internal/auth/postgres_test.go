package auth_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// newPool is a pool on a database of the test's own.
func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// seed makes the environments of newDirectory in a database.
func seed(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, e := range newDirectory().entries {
		env := e.Environment
		exec(t, pool, `INSERT INTO "Organization" ("id", "slug", "title") VALUES ($1, $1, 'x')`, env.OrganizationID)
		exec(t, pool, `INSERT INTO "Project" ("id", "slug", "name", "externalRef", "organizationId", "deletedAt")
			VALUES ($1, $1, 'x', $1, $2, CASE WHEN $3 THEN now() END)`, env.ProjectID, env.OrganizationID, e.ProjectDeleted)
		exec(t, pool, `INSERT INTO "RuntimeEnvironment"
			("id", "slug", "apiKey", "pkApiKey", "type", "shortcode", "organizationId", "projectId")
			VALUES ($1, 'x', $2, 'pk_' || $1, $3::text::"RuntimeEnvironmentType", 'x', $4, $5)`,
			env.ID, string(e.Key), string(env.Type), env.OrganizationID, env.ProjectID)
	}
	const toBranch = `UPDATE "RuntimeEnvironment" SET "parentEnvironmentId" = $1, "branchName" = $2 WHERE "id" = $3`
	exec(t, pool, toBranch, previewID, "feature/x", branchID)
	exec(t, pool, toBranch, devID, "feature/x", devBranchID)
	for _, k := range []struct {
		key, of string
		until   time.Time
	}{{graceKey, prodID, now.Add(time.Hour)}, {expiredKey, prodID, now}, {parentGraceKey, previewID, now.Add(2 * time.Hour)}} {
		exec(t, pool, `INSERT INTO "RevokedApiKey" ("id", "apiKey", "runtimeEnvironmentId", "expiresAt") VALUES ($1, $1, $2, $3)`, k.key, k.of, k.until)
	}
	for _, k := range []struct {
		key, of        string
		scopes         []string
		until, revoked any
	}{
		{readKey, prodID, []string{"read:runs", "x"}, now.Add(time.Hour), nil},
		{endedKey, prodID, []string{"admin"}, now, nil},
		{adminKey, previewID, []string{"admin"}, nil, nil},
		{unscopedKey, prodID, nil, nil, nil},
		{withdrawnKey, prodID, []string{"admin"}, nil, now},
	} {
		exec(t, pool, `INSERT INTO api_keys ("id", "name", "key_hash", "last_four", "runtime_environment_id", "scopes", "expires_at", "revoked_at", "updated_at")
			VALUES ($1, 'x', encode(sha256($1::text::bytea), 'hex'), 'x', $2, $3, $4, $5, now())`, k.key, k.of, k.scopes, k.until, k.revoked)
	}
}

const (
	parentGraceKey = "tr_preview_rotated"
	unscopedKey    = "tr_prod_sk_unscoped9abcdefABCDEFxyz"
	withdrawnKey   = "tr_prod_sk_withdrawnbcdefABCDEFxyz0"
)

// exposed shows the keys of an entry to a comparison.
var exposed = cmp.Transformer("exposed", func(k auth.Key) []byte { return []byte(string(k)) })

// compared shows what a comparison must see.
var compared = cmp.Options{exposed, cmp.Exporter(func(in reflect.Type) bool { return in.PkgPath() == reflect.TypeFor[auth.Scopes]().PkgPath() })}

func TestPostgresDirectory(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	d := auth.NewPostgresDirectory(pool)
	for _, want := range newDirectory().entries {
		switch want.Environment.ID {
		case prodID:
			want.RevokedKeys = []auth.RevokedKey{{Key: graceKey, Expires: now.Add(time.Hour)}, {Key: expiredKey, Expires: now}}
		case previewID, branchID: // whose tokens the parent signs
			want.RevokedKeys = []auth.RevokedKey{{Key: parentGraceKey, Expires: now.Add(2 * time.Hour)}}
		}
		for name, find := range map[string]func(context.Context, string) (*auth.Entry, error){
			"by id": d.EnvironmentByID, "reread": d.RereadEnvironmentByID,
		} {
			got, err := find(t.Context(), want.Environment.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, *got, compared); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", want.Environment.ID, name, diff)
			}
		}
		got, err := d.EnvironmentByKey(t.Context(), want.Key)
		if err != nil {
			t.Fatal(err)
		}
		want.SigningKeys, want.RevokedKeys = nil, nil
		want.Grant = &auth.Grant{Key: want.Key, Scopes: auth.Everything()}
		if diff := cmp.Diff(want, *got, compared); diff != "" {
			t.Errorf("%s by key (-want +got):\n%s", want.Environment.ID, diff)
		}
	}
	for _, unknown := range []string{"", "cmnobody", strings.ToUpper(prodID), prodID + " ", prodKey, "' OR true --"} {
		if e, err := d.EnvironmentByID(t.Context(), unknown); !errors.Is(err, auth.ErrUnknown) {
			t.Errorf("%q by id: %v, %v", unknown, e, err)
		}
	}
	for _, unknown := range []auth.Key{"nobody", "pk_" + prodID, prodID, "TR_PROD_0123456789ABCDEF", withdrawnKey, "tr_prod_sk_0123456789abcdefABCDEFxz"} {
		if e, err := d.EnvironmentByKey(t.Context(), unknown); !errors.Is(err, auth.ErrUnknown) {
			t.Errorf("%q by key: %v, %v", string(unknown), e, err)
		}
	}
}

func TestPostgresGrants(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	// A key that was put back is in use, whatever says that it was revoked; and
	// of two times of grace the longer one counts.
	exec(t, pool, `INSERT INTO "RevokedApiKey" ("id", "apiKey", "runtimeEnvironmentId", "expiresAt") VALUES
		('1', $1, $2, $4), ('2', $3, $5, $4)`, prodKey, otherID, graceKey, now, prodID)
	// A root key of the form of an additional one is not looked for.
	exec(t, pool, `UPDATE "RuntimeEnvironment" SET "apiKey" = 'tr_dev_sk_0123456789abcdefABCDEFxy' WHERE "id" = $1`, keylessID)
	d := auth.NewPostgresDirectory(pool)
	for key, want := range map[auth.Key]struct {
		id    string
		grant auth.Grant
	}{
		prodKey:        {prodID, auth.Grant{Key: prodKey, Scopes: auth.Everything()}},
		graceKey:       {prodID, auth.Grant{Key: graceKey, Scopes: auth.Everything(), Expires: now.Add(time.Hour)}},
		expiredKey:     {prodID, auth.Grant{Key: expiredKey, Scopes: auth.Everything(), Expires: now}},
		parentGraceKey: {previewID, auth.Grant{Key: parentGraceKey, Scopes: auth.Everything(), Expires: now.Add(2 * time.Hour)}},
		readKey:        {prodID, auth.Grant{Scopes: auth.ParseScopes([]string{"read:runs"}), Expires: now.Add(time.Hour)}},
		endedKey:       {prodID, auth.Grant{Scopes: auth.ParseScopes([]string{"admin"}), Expires: now}},
		adminKey:       {previewID, auth.Grant{Scopes: auth.ParseScopes([]string{"admin"})}},
		unscopedKey:    {prodID, auth.Grant{}},

		"tr_dev_sk_0123456789abcdefABCDEFxy": {},
	} {
		got, err := d.EnvironmentByKey(t.Context(), key)
		if want.id == "" {
			if !errors.Is(err, auth.ErrUnknown) {
				t.Errorf("%q: %v, %v; want no such environment", string(key), got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", string(key), err)
			continue
		}
		if diff := cmp.Diff(want.grant, *got.Grant, compared); diff != "" || got.Environment.ID != want.id {
			t.Errorf("%q opens %s (-want +got):\n%s", string(key), got.Environment.ID, diff)
		}
	}
}

// Rows of revoked keys stay for ever; those that matter are the latest.
func TestManyRevokedKeys(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	exec(t, pool, `INSERT INTO "RevokedApiKey" ("id", "apiKey", "runtimeEnvironmentId", "expiresAt")
		SELECT n::text, 'old' || n, $1, $2::timestamp - n * interval '1 day' FROM generate_series(1, 1000) n`, prodID, now)
	e, err := auth.NewPostgresDirectory(pool).EnvironmentByID(t.Context(), prodID)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(e.RevokedKeys); n != 20 || string(e.RevokedKeys[0].Key) != graceKey || string(e.RevokedKeys[19].Key) != "old18" {
		t.Errorf("%d revoked keys from %q to %q", n, string(e.RevokedKeys[0].Key), string(e.RevokedKeys[n-1].Key))
	}
}

func TestPostgresBranches(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	d := auth.NewPostgresDirectory(pool)
	find := func(parent, name, want string) {
		t.Helper()
		got, err := d.BranchEnvironment(t.Context(), parent, name)
		switch {
		case want == "" && !errors.Is(err, auth.ErrUnknown):
			t.Errorf("%s of %s: %v, %v; want no such environment", name, parent, got, err)
		case want != "" && (err != nil || *got != auth.Environment{ID: want, OrganizationID: "org_" + want, ProjectID: "proj_" + want, Type: got.Type}):
			t.Errorf("%s of %s: %+v, %v; want %s", name, parent, got, err, want)
		}
	}
	find(previewID, "feature/x", branchID)
	find(devID, "feature/x", devBranchID)
	find(prodID, "feature/x", "")
	find(branchID, "feature/x", "")
	find(previewID, "feature/y", "")
	find(previewID, "FEATURE/X", "")
	if b, err := d.BranchEnvironment(t.Context(), previewID, "feature/x"); err != nil || b.Type != auth.Preview {
		t.Errorf("the type of a preview branch: %+v, %v", b, err)
	}
	exec(t, pool, `UPDATE "RuntimeEnvironment" SET "archivedAt" = now() WHERE "id" = $1`, branchID)
	find(previewID, "feature/x", "")
	// Only its name is gone.
	if _, err := d.EnvironmentByID(t.Context(), branchID); err != nil {
		t.Errorf("an archived environment by id: %v", err)
	}
	exec(t, pool, `UPDATE "RuntimeEnvironment" SET "archivedAt" = now() WHERE "id" = $1`, prodID)
	if _, err := d.EnvironmentByKey(t.Context(), prodKey); err != nil {
		t.Errorf("an archived environment by key: %v", err)
	}
}

// counted counts the questions to a database.
type counted struct {
	auth.Querier
	asked int
}

func (c *counted) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	c.asked++
	return c.Querier.QueryRow(ctx, sql, args...)
}

func TestReplica(t *testing.T) {
	full, empty, broken := newPool(t), newPool(t), newPool(t)
	seed(t, full)
	broken.Close()
	for name, c := range map[string]struct {
		replica, primary      auth.Querier
		found, primaryIsAsked bool
		fails                 bool
	}{
		"the replica knows":              {full, broken, true, false, false},
		"the replica lags":               {empty, full, true, true, false},
		"the replica fails":              {broken, full, true, true, false},
		"neither knows":                  {empty, empty, false, true, false},
		"the replica fails, no such":     {broken, empty, false, true, false},
		"the replica lags, primary down": {empty, broken, false, true, true},
	} {
		primary := &counted{Querier: c.primary}
		e, err := auth.NewPostgresDirectory(primary, c.replica).EnvironmentByID(t.Context(), prodID)
		if (err == nil) != c.found || c.found && e.Environment.ID != prodID {
			t.Errorf("%s: %v, %v", name, e, err)
		}
		if !c.found && errors.Is(err, auth.ErrUnknown) == c.fails {
			t.Errorf("%s: the error is %v; a failure, and not a refusal: %v", name, err, c.fails)
		}
		if got := primary.asked > 0; got != c.primaryIsAsked {
			t.Errorf("%s: the primary was asked: %v", name, got)
		}
	}
}

// All questions fall back to the primary; the second look goes there at once.
func TestReplicaOfEachQuestion(t *testing.T) {
	full, empty := newPool(t), newPool(t)
	seed(t, full)
	for name, ask := range map[string]func(*auth.PostgresDirectory) error{
		"by id":      func(d *auth.PostgresDirectory) error { _, err := d.EnvironmentByID(t.Context(), prodID); return err },
		"root key":   func(d *auth.PostgresDirectory) error { _, err := d.EnvironmentByKey(t.Context(), prodKey); return err },
		"in grace":   func(d *auth.PostgresDirectory) error { _, err := d.EnvironmentByKey(t.Context(), graceKey); return err },
		"additional": func(d *auth.PostgresDirectory) error { _, err := d.EnvironmentByKey(t.Context(), readKey); return err },
		"branch": func(d *auth.PostgresDirectory) error {
			_, err := d.BranchEnvironment(t.Context(), previewID, "feature/x")
			return err
		},
		"reread": func(d *auth.PostgresDirectory) error {
			_, err := d.RereadEnvironmentByID(t.Context(), prodID)
			return err
		},
	} {
		replica, primary := &counted{Querier: empty}, &counted{Querier: full}
		err := ask(auth.NewPostgresDirectory(primary, replica))
		wantReplica := 1
		if name == "reread" {
			wantReplica = 0
		}
		if err != nil || replica.asked != wantReplica || primary.asked != 1 {
			t.Errorf("%s: %v; the replica was asked %d times, the primary %d", name, err, replica.asked, primary.asked)
		}
	}
}

func TestReplicaAfterCancel(t *testing.T) {
	pool := newPool(t)
	primary := &counted{Querier: pool}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := auth.NewPostgresDirectory(primary, pool).EnvironmentByID(ctx, prodID)
	if !errors.Is(err, context.Canceled) || primary.asked > 0 {
		t.Errorf("%v, and the primary was asked %d times; want a cancelled question asked once", err, primary.asked)
	}
}

// From the header to the database and back.
func TestAuthenticateOnPostgres(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	a := newAuthenticator(auth.NewPostgresDirectory(pool))
	ofBranch := sign(t, previewKey, auth.Token{EnvironmentID: branchID, Scopes: []string{"read:runs"}})
	for name, c := range map[string]struct{ credential, environment, refusal string }{
		"root key":                      {prodKey, prodID, ""},
		"token":                         {sign(t, prodKey, auth.Token{EnvironmentID: prodID}), prodID, ""},
		"token of a branch":             {ofBranch, branchID, ""},
		"signed with the branch's key":  {sign(t, branchKey, auth.Token{EnvironmentID: branchID}), "", "Public Access Token is invalid"},
		"signed with another's key":     {sign(t, otherKey, auth.Token{EnvironmentID: prodID}), "", "Public Access Token is invalid"},
		"signed with a deleted's key":   {sign(t, goneKey, auth.Token{EnvironmentID: goneID}), "", "Invalid Public Access Token"},
		"a deleted's key":               {goneKey, "", "Invalid API key"},
		"unknown key":                   {"tr_prod_nobody", "", "Invalid API key"},
		"a key that SQL would not take": {"tr_prod_\x00\xff", "", "Invalid API key"},
		"in grace":                      {graceKey, prodID, ""},
		"grace is over":                 {expiredKey, "", "Invalid API key"},
		"additional":                    {readKey, prodID, ""},
		"additional, expired":           {endedKey, "", "Invalid API key"},
		"additional, revoked":           {withdrawnKey, "", "Invalid API key"},
		"signed in grace":               {sign(t, graceKey, auth.Token{EnvironmentID: prodID}), prodID, ""},
		"signed after grace":            {sign(t, expiredKey, auth.Token{EnvironmentID: prodID}), "", "Public Access Token is invalid"},
		"branch, parent's in grace":     {sign(t, parentGraceKey, auth.Token{EnvironmentID: branchID}), branchID, ""},
		"signed with an additional key": {sign(t, readKey, auth.Token{EnvironmentID: prodID}), "", "Public Access Token is invalid"},
		"an id that SQL would not take": {tokenOf(goodHeader, payload("sub", `"\u0000"`)), "", "Invalid Public Access Token"},
	} {
		p, err := a.Authenticate(t.Context(), header("Bearer "+c.credential))
		if c.refusal != "" {
			wantError(t, name, err, 401, `{"error":"`+c.refusal+`"}`)
		} else if err != nil || p.Environment.ID != c.environment {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	ofKey := header("Bearer " + previewKey)
	ofKey.Set("X-Trigger-Branch", "refs/heads/feature/x")
	if p, err := a.Authenticate(t.Context(), ofKey); err != nil || p.Environment.ID != branchID {
		t.Errorf("a branch by its parent's key: %+v, %v", p, err)
	}
	pool.Close()
	for _, credential := range []string{prodKey, ofBranch} {
		_, err := a.Authenticate(t.Context(), header("Bearer "+credential))
		wantError(t, "the database is gone", err, 503, `{"error":"Authentication is temporarily unavailable"}`)
	}
}
