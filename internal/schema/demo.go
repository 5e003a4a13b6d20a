package schema

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Demo is one environment to work in, and who owns it.
type Demo struct {
	OrganizationID string
	ProjectID      string
	EnvironmentID  string
	APIKey         string // the environment's root secret key, tr_dev_...; a secret
}

// demo is the slug by which SeedDemo finds its rows again.
const demo = "demo"

// SeedDemo makes an organization, a project and an environment of type
// DEVELOPMENT in a migrated database, with random ids and a random key, and
// returns them. Where they exist it only returns them: the key stays the same
// over restarts. It may be run by several at once.
func SeedDemo(ctx context.Context, db Beginner) (Demo, error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return Demo{}, fmt.Errorf("schema: begin seeding: %w", err)
	}
	// After a commit this does nothing.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	d, err := seed(ctx, tx)
	if err != nil {
		return Demo{}, fmt.Errorf("schema: seed the demo environment: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return Demo{}, fmt.Errorf("schema: commit the demo environment: %w", err)
	}
	return d, nil
}

func seed(ctx context.Context, tx pgx.Tx) (d Demo, err error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey); err != nil {
		return d, err
	}
	mint := runid.NewMinter(runid.MinterConfig{})
	d.OrganizationID, err = findOrMake(ctx, tx,
		`SELECT id FROM public."Organization" WHERE slug = $1`, []any{demo},
		`INSERT INTO public."Organization" (id, slug, title) VALUES ($1, $2, 'Demo') RETURNING id`, mint.Mint(runid.Legacy), demo)
	if err != nil {
		return d, fmt.Errorf("organization: %w", err)
	}
	d.ProjectID, err = findOrMake(ctx, tx,
		`SELECT id FROM public."Project" WHERE slug = $1 AND "organizationId" = $2`, []any{demo, d.OrganizationID},
		`INSERT INTO public."Project" (id, slug, name, "externalRef", "organizationId", engine) VALUES ($1, $2, 'Demo', $3, $4, 'V2') RETURNING id`,
		mint.Mint(runid.Legacy), demo, "proj_"+random(), d.OrganizationID)
	if err != nil {
		return d, fmt.Errorf("project: %w", err)
	}
	d.EnvironmentID, err = findOrMake(ctx, tx,
		`SELECT id FROM public."RuntimeEnvironment" WHERE slug = 'dev' AND "projectId" = $1`, []any{d.ProjectID},
		`INSERT INTO public."RuntimeEnvironment" (id, slug, "apiKey", "pkApiKey", type, shortcode, "organizationId", "projectId")
		 VALUES ($1, 'dev', $2, $3, 'DEVELOPMENT', $4, $5, $6) RETURNING id`,
		mint.Mint(runid.Legacy), "tr_dev_"+random(), "pk_dev_"+random(), random()[:8], d.OrganizationID, d.ProjectID)
	if err != nil {
		return d, fmt.Errorf("environment: %w", err)
	}
	err = tx.QueryRow(ctx, `SELECT "apiKey" FROM public."RuntimeEnvironment" WHERE id = $1`, d.EnvironmentID).Scan(&d.APIKey)
	return d, err
}

// findOrMake runs find, and make when find found nothing. Both return an id.
func findOrMake(ctx context.Context, tx pgx.Tx, find string, by []any, make string, values ...any) (id string, err error) {
	err = tx.QueryRow(ctx, find, by...).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, make, values...).Scan(&id)
	}
	return id, err
}

// random is 130 bits of it, in letters and digits.
func random() string { return strings.ToLower(rand.Text()) }
