package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Querier is the part of a pgx pool that a directory needs.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// PostgresDirectory finds environments in the platform's own tables. It is safe
// for concurrent use if its databases are, as pgx pools are.
type PostgresDirectory struct{ databases []Querier }

// NewPostgresDirectory reads from the replicas, if any are given, in their
// order, and from primary when none of them knows the environment: clients take
// a 401 as final, so an environment made a moment ago must not be refused
// because a replica lags. One that fails is passed over in the same way. What a
// replica does find may be as old as its lag.
func NewPostgresDirectory(primary Querier, replicas ...Querier) *PostgresDirectory {
	return &PostgresDirectory{append(slices.Clone(replicas), primary)}
}

const selectEnvironment = `
SELECT e."id", e."organizationId", e."projectId", e."type"::text, e."apiKey",
       coalesce(parent."apiKey", e."apiKey"), project."deletedAt" IS NOT NULL
FROM "RuntimeEnvironment" e
JOIN "Project" project ON project."id" = e."projectId"
LEFT JOIN "RuntimeEnvironment" parent ON parent."id" = e."parentEnvironmentId"
`

// EnvironmentByID finds the environment with this id, or ErrUnknown.
func (d *PostgresDirectory) EnvironmentByID(ctx context.Context, id string) (*Entry, error) {
	return d.find(ctx, selectEnvironment+`WHERE e."id" = $1`, id)
}

// EnvironmentByKey finds the environment whose root key this is, or ErrUnknown.
func (d *PostgresDirectory) EnvironmentByKey(ctx context.Context, key Key) (*Entry, error) {
	return d.find(ctx, selectEnvironment+`WHERE e."apiKey" = $1`, string(key))
}

// find asks the databases in order until one knows. Its error is the last one's:
// the primary's word is final.
func (d *PostgresDirectory) find(ctx context.Context, sql, arg string) (entry *Entry, err error) {
	for _, db := range d.databases {
		if entry, err = scanEnvironment(db.QueryRow(ctx, sql, arg)); err == nil || ctx.Err() != nil {
			return entry, err
		}
	}
	return nil, err
}

func scanEnvironment(row pgx.Row) (*Entry, error) {
	var (
		e                Entry
		kind, own, signs string
	)
	err := row.Scan(&e.Environment.ID, &e.Environment.OrganizationID, &e.Environment.ProjectID,
		&kind, &own, &signs, &e.ProjectDeleted)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("auth: find an environment: %w", err)
	}
	e.Environment.Type = EnvironmentType(kind)
	e.Key, e.SigningKeys = Key(own), []Key{Key(signs)}
	return &e, nil
}
