package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

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
	exec(t, pool, `UPDATE "RuntimeEnvironment" SET "parentEnvironmentId" = $1 WHERE "id" = $2`, previewID, branchID)
}

// exposed shows the keys of an entry to a comparison.
var exposed = cmp.Transformer("exposed", func(k auth.Key) []byte { return []byte(string(k)) })

func TestPostgresDirectory(t *testing.T) {
	pool := newPool(t)
	seed(t, pool)
	d := auth.NewPostgresDirectory(pool)
	for _, want := range newDirectory().entries {
		got, err := d.EnvironmentByID(t.Context(), want.Environment.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got, exposed); diff != "" {
			t.Errorf("%s by id (-want +got):\n%s", want.Environment.ID, diff)
		}
		got, err = d.EnvironmentByKey(t.Context(), want.Key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got, exposed); diff != "" {
			t.Errorf("%s by key (-want +got):\n%s", want.Environment.ID, diff)
		}
	}
	for _, unknown := range []string{"", "cmnobody", strings.ToUpper(prodID), prodID + " ", prodKey, "' OR true --"} {
		if e, err := d.EnvironmentByID(t.Context(), unknown); !errors.Is(err, auth.ErrUnknown) {
			t.Errorf("%q by id: %v, %v", unknown, e, err)
		}
	}
	for _, unknown := range []auth.Key{"nobody", "pk_" + prodID, prodID, "TR_PROD_0123456789ABCDEF"} {
		if e, err := d.EnvironmentByKey(t.Context(), unknown); !errors.Is(err, auth.ErrUnknown) {
			t.Errorf("%q by key: %v, %v", string(unknown), e, err)
		}
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
		"an id that SQL would not take": {tokenOf(goodHeader, payload("sub", `"\u0000"`)), "", "Invalid Public Access Token"},
	} {
		p, err := a.Authenticate(t.Context(), header("Bearer "+c.credential))
		if c.refusal != "" {
			wantError(t, name, err, 401, `{"error":"`+c.refusal+`"}`)
		} else if err != nil || p.Environment.ID != c.environment {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	pool.Close()
	for _, credential := range []string{prodKey, ofBranch} {
		_, err := a.Authenticate(t.Context(), header("Bearer "+credential))
		wantError(t, "the database is gone", err, 503, `{"error":"Authentication is temporarily unavailable"}`)
	}
}
