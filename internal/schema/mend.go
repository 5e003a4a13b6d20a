package schema

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// runTables are the names of the two tables, as Postgres keeps them.
func runTables() []string {
	return []string{runid.Legacy.Name(), runid.V2.Name()}
}

// fullIdentity makes updates and deletes of runs carry the whole old row. By
// default they carry the key alone, and nothing of a large value that did not
// change: from that nobody can tell which shapes a row leaves.
func fullIdentity(ctx context.Context, tx pgx.Tx) (did []string, err error) {
	tables, err := column(ctx, tx, `
		SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1) AND relreplident <> 'f'
		ORDER BY relname`, runTables())
	if err != nil {
		return nil, fmt.Errorf("look at the replica identity: %w", err)
	}
	for _, table := range tables {
		if _, err := tx.Exec(ctx, "ALTER TABLE "+pgx.Identifier{table}.Sanitize()+" REPLICA IDENTITY FULL"); err != nil {
			return nil, fmt.Errorf("set the replica identity of %s: %w", table, err)
		}
		did = append(did, "set replica identity full on "+table)
	}
	return did, nil
}

// dimensions tells Postgres again that array columns are arrays of one dimension.
// CREATE TABLE ... LIKE forgets it, and Electric then calls the column "_text"
// instead of text with dims 1, which clients do not parse. Naming the type that
// the column has changes no row.
func dimensions(ctx context.Context, tx pgx.Tx) (did []string, err error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
		  AND a.attnum > 0 AND NOT a.attisdropped AND t.typcategory = 'A' AND a.attndims = 0
		ORDER BY c.relname, a.attnum`, runTables())
	if err != nil {
		return nil, fmt.Errorf("look at the array columns: %w", err)
	}
	type array struct{ Table, Name, Type string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[array])
	if err != nil {
		return nil, fmt.Errorf("look at the array columns: %w", err)
	}
	for _, c := range columns {
		sql := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", pgx.Identifier{c.Table}.Sanitize(), pgx.Identifier{c.Name}.Sanitize(), c.Type)
		if _, err := tx.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("set the dimensions of %s.%s: %w", c.Table, c.Name, err)
		}
		did = append(did, fmt.Sprintf("set dimensions of %s.%s", c.Table, c.Name))
	}
	return did, nil
}

func column(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
