package schema

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed sql/*.sql
var files embed.FS

// lockKey is the advisory lock that one migration at a time holds: the bytes of
// "rtgwmigr" as a number.
const lockKey int64 = 0x727467776d696772

// Beginner starts a transaction. *pgx.Conn and *pgxpool.Pool are Beginners.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Migrate makes what is missing of the platform's tables, in the schema public,
// and mends replica identity and array dimensions of the two run tables. The
// actions say what it did, one line each; there is none when there was nothing
// to do. It all happens or none of it.
//
// It may be run again, and by several at once: they take turns. On tables in
// use it takes an exclusive lock for a moment, and only if there is something
// to mend; when it cannot have that lock within five seconds it fails.
func Migrate(ctx context.Context, db Beginner) (actions []string, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("schema: begin the migration: %w", err)
	}
	// After a commit this does nothing.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()

	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey); err != nil {
		return nil, fmt.Errorf("schema: wait for another migration: %w", err)
	}
	// Behind an exclusive lock that waits, everyone else waits too.
	if _, err := tx.Exec(ctx, "SET LOCAL search_path TO public; SET LOCAL lock_timeout TO '5s'"); err != nil {
		return nil, fmt.Errorf("schema: prepare the migration: %w", err)
	}
	for _, step := range []func(context.Context, pgx.Tx) ([]string, error){create, fullIdentity, dimensions} {
		did, err := step(ctx, tx)
		if err != nil {
			return nil, fmt.Errorf("schema: migrate: %w", explain(err))
		}
		actions = append(actions, did...)
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, fmt.Errorf("schema: commit the migration: %w", err)
	}
	return actions, nil
}

func explain(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" { // lock_not_available
		return fmt.Errorf("%w: a transaction on the run tables is in the way; run the migration again when it has ended", err)
	}
	return err
}

// create runs the files of the types and tables that do not exist. A file's name
// says which: <order>_<type|table>_<name>.sql.
func create(ctx context.Context, tx pgx.Tx) (did []string, err error) {
	names, err := fs.Glob(files, "sql/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		_, object, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".sql"), "_")
		kind, name, _ := strings.Cut(object, "_")
		there, err := exists(ctx, tx, kind, name)
		if err != nil {
			return nil, fmt.Errorf("look for %s %s: %w", kind, name, err)
		}
		if there {
			continue
		}
		sql, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, string(sql)); err != nil {
			return nil, fmt.Errorf("create %s %s: %w", kind, name, err)
		}
		did = append(did, fmt.Sprintf("created %s %s", kind, name))
	}
	return did, nil
}

func exists(ctx context.Context, tx pgx.Tx, kind, name string) (there bool, err error) {
	query := "SELECT to_regclass($1) IS NOT NULL"
	if kind == "type" {
		query = "SELECT to_regtype($1) IS NOT NULL"
	}
	err = tx.QueryRow(ctx, query, pgx.Identifier{"public", name}.Sanitize()).Scan(&there)
	return there, err
}
