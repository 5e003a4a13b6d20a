package embedded

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// fuzzColumns are the columns of FuzzWhere's row.
var fuzzColumns = []struct {
	name, sql string
	oid       uint32
}{
	{"t", "text", oidText}, {`Odd."Name`, "varchar(3)", oidVarchar}, {"a", "text[]", oidTextArray},
	{"seen", "timestamp(3)", oidTimestamp}, {"i", "int4", oidInt4}, {"n", "int8", oidInt8},
}

// FuzzWhere: of every clause that is taken, and any row, the matcher says what
// Postgres says: of the clause as it came, and as it is written for a snapshot.
func FuzzWhere(f *testing.F) {
	ask := newAsker(f)
	f.Fuzz(func(t *testing.T, clause, one, two, text, array, stamp string, number int64, nulls uint8) {
		q, conditions := bindFuzz(clause, one, two)
		if q == nil {
			return
		}
		literals := []string{text, text, array, stamp, strconv.Itoa(int(int32(number))), strconv.FormatInt(number, 10)}
		row, err := ask.row(literals, nulls)
		if hasClass(err, "22") {
			return // there is no such row
		}
		if err != nil {
			t.Fatal(err)
		}
		got := q.selects(fuzzLayout(q), row)

		snapshot, args := q.sql()
		if _, where, ok := strings.Cut(snapshot, " WHERE "); ok {
			if want, err := ask.whether(where, args, make([]uint32, len(args)), literals, nulls); err != nil || want != got {
				t.Fatalf("%s with %q of %+v: %v, Postgres says %v, %v", where, args, row, got, want, err)
			}
		}
		if len(conditions) == 0 {
			return
		}
		params, types, reused := fuzzParams(clause, one, two)
		want, err := ask.whether(clause, params, types, literals, nulls)
		switch {
		case reused && hasClass(err, "42P08", "42883", "42804"): // Postgres has one type for all uses of a parameter
		case hasClass(err, "22003") && slices.ContainsFunc(conditions, tooWide): // and takes it for that of the column
		case err != nil || want != got:
			t.Fatalf("%s with %q, %q of %+v: %v, Postgres says %v, %v", clause, one, two, row, got, want, err)
		}
	})
}

// bindFuzz gives no query for a clause that is refused.
func bindFuzz(clause, one, two string) (*query, []condition) {
	conditions, bad := parseWhere(clause, []string{one, two})
	if bad != nil {
		return nil, nil
	}
	schema := &tableSchema{}
	for i, c := range fuzzColumns {
		schema.columns = append(schema.columns, columnSchema{name: c.name, typeOID: c.oid, typeName: c.sql, modifier: -1, pkIndex: min(0, -i)})
	}
	q, bad := bind(&definition{where: conditions}, schema)
	if bad != nil {
		return nil, nil
	}
	return q, conditions
}

func fuzzLayout(q *query) *layout {
	l := &layout{}
	for _, t := range q.tests {
		for i, c := range fuzzColumns {
			if c.name == t.column() {
				l.tests = append(l.tests, i)
			}
		}
	}
	return l
}

// fuzzParams are two parameters and their types. Postgres finds out the type of one
// that is used; one that is not must have a type, and may hold what is none. reused
// says that one is used more than once.
func fuzzParams(clause, one, two string) (params []string, types []uint32, reused bool) {
	given := []string{one, two}
	params, types = []string{"", ""}, []uint32{oidText, oidText}
	// What is quoted is a name.
	unquoted := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(clause, "")
	for _, m := range regexp.MustCompile(`\$0*([12])`).FindAllStringSubmatch(unquoted, -1) {
		at, _ := strconv.Atoi(m[1])
		reused = reused || types[at-1] == 0
		params[at-1], types[at-1] = given[at-1], 0
	}
	return params, types, reused
}

// tooWide says whether a condition compares an int4 with what is none.
func tooWide(c condition) bool {
	_, err := strconv.ParseInt(c.values[0], 10, 32)
	return c.column == "i" && err != nil
}

// asker asks Postgres about rows that are in no table.
type asker struct{ conn *pgconn.PgConn }

func newAsker(f *testing.F) asker {
	config, err := pgx.ParseConfig(pgtest.Empty(f))
	if err != nil {
		f.Fatal(err)
	}
	for k, v := range replication.SessionSettings() {
		config.RuntimeParams[k] = v
	}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = conn.Close(context.Background()) })
	return asker{conn.PgConn()}
}

// row is a row as Postgres writes it.
func (a asker) row(literals []string, nulls uint8) (replication.Tuple, error) {
	values, err := a.ask("*", nil, nil, literals, nulls)
	if err != nil {
		return nil, err
	}
	row := make(replication.Tuple, len(values))
	for i, v := range values {
		row[i] = replication.Value{Text: string(v), Null: v == nil}
	}
	return row, nil
}

// whether says whether a row satisfies a clause.
func (a asker) whether(clause string, params []string, types []uint32, literals []string, nulls uint8) (bool, error) {
	values, err := a.ask("("+clause+") IS TRUE", params, types, literals, nulls)
	if err != nil {
		return false, err
	}
	return string(values[0]) == "t", nil
}

func (a asker) ask(what string, params []string, types []uint32, literals []string, nulls uint8) ([][]byte, error) {
	var values [][]byte
	for _, p := range params {
		values = append(values, []byte(p))
	}
	var columns []string
	for i, c := range fuzzColumns {
		value := []byte(literals[i])
		if nulls>>i&1 == 1 {
			value = nil
		}
		values = append(values, value)
		columns = append(columns, fmt.Sprintf("$%d::text::%s AS %s", len(values), c.sql, quoteIdentifier(c.name)))
	}
	sql := "SELECT " + what + " FROM (SELECT " + strings.Join(columns, ", ") + ") AS q"
	result := a.conn.ExecParams(context.Background(), sql, values, types, nil, nil).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	return result.Rows[0], nil
}

func hasClass(err error, codes ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.ContainsFunc(codes, func(c string) bool { return strings.HasPrefix(pg.Code, c) })
}
