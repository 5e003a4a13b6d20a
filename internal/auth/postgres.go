package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Querier is the part of a pgx pool that a directory needs.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// PostgresDirectory finds environments in the platform's own tables, which it
// only reads. It is safe for concurrent use if its databases are, as pgx pools
// are.
type PostgresDirectory struct{ databases []Querier }

var (
	_ Directory = (*PostgresDirectory)(nil)
	_ Branches  = (*PostgresDirectory)(nil)
	_ Rereader  = (*PostgresDirectory)(nil)
)

// NewPostgresDirectory reads from the replicas, if any are given, in their
// order, and from primary when none of them knows: clients take a 401 as final,
// so an environment, key or branch made a moment ago must not be refused because
// a replica lags. One that fails is passed over in the same way. What a replica
// does find may be as old as its lag.
func NewPostgresDirectory(primary Querier, replicas ...Querier) *PostgresDirectory {
	return &PostgresDirectory{append(slices.Clone(replicas), primary)}
}

// EnvironmentByID finds the environment with this id, or ErrUnknown.
func (d *PostgresDirectory) EnvironmentByID(ctx context.Context, id string) (*Entry, error) {
	return first(ctx, d.databases, scanByID, selectByID, id)
}

// RereadEnvironmentByID is EnvironmentByID on the primary alone.
func (d *PostgresDirectory) RereadEnvironmentByID(ctx context.Context, id string) (*Entry, error) {
	return first(ctx, d.databases[len(d.databases)-1:], scanByID, selectByID, id)
}

// EnvironmentByKey finds the environment that this key opens, or ErrUnknown.
func (d *PostgresDirectory) EnvironmentByKey(ctx context.Context, key Key) (*Entry, error) {
	if key.additional() {
		return first(ctx, d.databases, scanByAdditionalKey, selectByAdditionalKey, key.hash())
	}
	return first(ctx, d.databases, scanByRootKey, selectByRootKey, string(key))
}

// BranchEnvironment finds the environment of a branch, or ErrUnknown.
func (d *PostgresDirectory) BranchEnvironment(ctx context.Context, parentID, name string) (*Environment, error) {
	return first(ctx, d.databases, scanBranch, selectBranch, parentID, name)
}

// first asks the databases in order until one knows. Its error is the last one's:
// the primary's word is final.
func first[T any](ctx context.Context, databases []Querier, scan func(pgx.Row, *T) error, sql string, args ...any) (*T, error) {
	var err error
	for _, db := range databases {
		var found T
		if err = scan(db.QueryRow(ctx, sql, args...), &found); err == nil {
			return &found, nil
		}
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrUnknown
		} else {
			err = fmt.Errorf("auth: find an environment: %w", err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func scanByID(row pgx.Row, e *Entry) error {
	var (
		own, signs string
		revoked    []string
		until      []time.Time
	)
	if err := row.Scan(append(columnsOf(e), &own, &signs, &revoked, &until)...); err != nil {
		return err
	}
	e.Key, e.SigningKeys = Key(own), []Key{Key(signs)}
	for i := range min(len(revoked), len(until)) {
		e.RevokedKeys = append(e.RevokedKeys, RevokedKey{Key(revoked[i]), until[i]})
	}
	return nil
}

func scanByRootKey(row pgx.Row, e *Entry) error {
	var (
		own, key string
		expires  *time.Time
	)
	if err := row.Scan(append(columnsOf(e), &own, &key, &expires)...); err != nil {
		return err
	}
	e.Key, e.Grant = Key(own), newGrant(Key(key), Everything(), expires)
	return nil
}

func scanByAdditionalKey(row pgx.Row, e *Entry) error {
	var (
		scopes  []string
		expires *time.Time
	)
	if err := row.Scan(append(columnsOf(e), &scopes, &expires)...); err != nil {
		return err
	}
	e.Grant = newGrant("", ParseScopes(scopes), expires)
	return nil
}

func newGrant(key Key, scopes Scopes, expires *time.Time) *Grant {
	g := &Grant{Key: key, Scopes: scopes}
	if expires != nil {
		g.Expires = *expires
	}
	return g
}

func scanBranch(row pgx.Row, e *Environment) error {
	return row.Scan(&e.ID, &e.OrganizationID, &e.ProjectID, &e.Type)
}

// columnsOf are the places of environmentColumns.
func columnsOf(e *Entry) []any {
	env := &e.Environment
	return []any{&env.ID, &env.OrganizationID, &env.ProjectID, &env.Type, &e.ProjectDeleted}
}
