package check

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// tableFacts are what a database says of a table that is wanted.
type tableFacts struct {
	wanted   wantedTable
	there    bool
	kind     string // pg_class.relkind
	identity string // pg_class.relreplident
	owned    bool   // by the role, or by one that it is a member of
	primary  []string
	byName   bool // an index begins with "friendlyId"
	columns  map[string]columnFacts
}

type columnFacts struct {
	Table    string
	Name     string
	Type     string // as SQL spells it
	TypeName string // pg_type.typname
	Enum     bool
	NotNull  bool
	Dims     int
	Default  string
	Readable bool // by this role
}

// askTables looks at each wanted table in the order of wanted.
func askTables(ctx context.Context, conn *pgx.Conn) (all []tableFacts, err error) {
	at := map[string]int{}
	var names []string
	for i, w := range wanted() {
		all = append(all, tableFacts{wanted: w, columns: map[string]columnFacts{}})
		at[w.sql] = i
		names = append(names, w.sql)
	}
	rows, _ := conn.Query(ctx, selectTables, names) // ForEachRow gives the error
	var name string
	var t tableFacts
	_, err = pgx.ForEachRow(rows, []any{&name, &t.kind, &t.identity, &t.owned, &t.primary, &t.byName}, func() error {
		t.there, t.wanted, t.columns = true, all[at[name]].wanted, all[at[name]].columns
		all[at[name]] = t
		t.primary = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("it does not say which tables it has: %w", err)
	}
	rows, _ = conn.Query(ctx, selectColumns, names)
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[columnFacts])
	if err != nil {
		return nil, fmt.Errorf("it does not say which columns its tables have: %w", err)
	}
	for _, c := range columns {
		all[at[c.Table]].columns[c.Name] = c
	}
	return all, nil
}

const selectTables = `
SELECT w.name, c.relkind::text, c.relreplident::text, pg_has_role(c.relowner, 'USAGE'),
       (SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid AND i.indisprimary),
       EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
               WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'friendlyId')
FROM unnest($1::text[]) w(name) JOIN pg_class c ON c.oid = to_regclass(w.name)`

const selectColumns = `
SELECT w.name, a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, t.typtype = 'e', a.attnotnull, a.attndims::int,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), has_column_privilege(a.attrelid, a.attnum, 'SELECT')
FROM unnest($1::text[]) w(name)
JOIN pg_attribute a ON a.attrelid = to_regclass(w.name) AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum`
