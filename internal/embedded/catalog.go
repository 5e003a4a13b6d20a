package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// Type OIDs of Postgres that are told apart here; they never change.
const (
	oidBool        = 16
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidTextArray   = 1009
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestampTZ = 1184
	oidTimeTZ      = 1266
	oidBit         = 1560
	oidVarbit      = 1562
	oidNumeric     = 1700
)

// tableSchema is a table as the catalog describes it.
type tableSchema struct {
	oid     uint32
	table   replication.Table
	columns []columnSchema
}

// columnSchema is one column. Its fields are compared to see whether a table
// has changed.
type columnSchema struct {
	name     string
	typeOID  uint32
	modifier int32
	notNull  bool
	dims     int    // attndims: 0 for an array column that was made by LIKE
	typeName string // pg_type.typname
	element  string // typname of the elements, for an array
	pkIndex  int    // place in the primary key, -1 outside it
	loose    bool   // its collation takes texts for equal that differ
}

func (t *tableSchema) column(name string) *columnSchema {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// primaryKey lists the key's columns in the key's order.
func (t *tableSchema) primaryKey() []string {
	var pk []*columnSchema
	for i := range t.columns {
		if t.columns[i].pkIndex >= 0 {
			pk = append(pk, &t.columns[i])
		}
	}
	slices.SortFunc(pk, func(a, b *columnSchema) int { return a.pkIndex - b.pkIndex })
	names := make([]string, len(pk))
	for i, c := range pk {
		names[i] = c.name
	}
	return names
}

// rowQuerier is a connection, a pool or a transaction.
type rowQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// loadTable reads a table's layout; nil means that there is no such table.
func loadTable(ctx context.Context, q rowQuerier, t replication.Table) (*tableSchema, error) {
	rows, err := q.Query(ctx, `
		SELECT c.oid, a.attname::text, a.atttypid, a.atttypmod, a.attnotnull, a.attndims::int4,
		       t.typname::text, coalesce(e.typname::text, ''), coalesce(array_position(i.indkey::int2[], a.attnum), -1),
		       coalesce(NOT o.collisdeterministic, false)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
		LEFT JOIN pg_collation o ON o.oid = a.attcollation
		LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'
		ORDER BY a.attnum`, t.Schema, t.Name)
	if err != nil {
		return nil, fmt.Errorf("read the layout of %q.%q: %w", t.Schema, t.Name, err)
	}
	defer rows.Close()
	var s *tableSchema
	for rows.Next() {
		if s == nil {
			s = &tableSchema{table: t}
		}
		var c columnSchema
		if err := rows.Scan(&s.oid, &c.name, &c.typeOID, &c.modifier, &c.notNull, &c.dims, &c.typeName, &c.element, &c.pkIndex, &c.loose); err != nil {
			return nil, fmt.Errorf("read the layout of %q.%q: %w", t.Schema, t.Name, err)
		}
		s.columns = append(s.columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the layout of %q.%q: %w", t.Schema, t.Name, err)
	}
	return s, nil
}
