package embedded

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// TestMatchAgreesWithPostgres draws a condition and a row's value, writes the
// value as Postgres writes it, and asks both whether the condition is true.
func TestMatchAgreesWithPostgres(t *testing.T) {
	config, err := pgx.ParseConfig(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range replication.SessionSettings() {
		config.RuntimeParams[k] = v
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rapid.Check(t, func(rt *rapid.T) {
		for range 20 {
			checkMatch(t.Context(), rt, conn)
		}
	})
}

func checkMatch(ctx context.Context, t *rapid.T, conn *pgx.Conn) {
	typ, literal, cond := drawCondition(t)
	d := condition{op: cond.op, column: "v", values: cond.values}
	table := &tableSchema{columns: []columnSchema{{name: "v", typeOID: typ.oid, typeName: typ.name}}}
	bound, bad := bindCondition(d, table)
	if bad != nil {
		t.Fatalf("%+v: %v", d, bad)
	}
	clause, args := bound.sql(2)
	values := []any{pgx.QueryExecModeExec, literal}
	for _, a := range args {
		values = append(values, a)
	}
	var text *string
	var want bool
	sql := fmt.Sprintf(`SELECT v::text, coalesce(%s, false) FROM (SELECT $1::text::%s AS v) q`, clause, typ.name)
	if err := conn.QueryRow(ctx, sql, values...).Scan(&text, &want); err != nil {
		t.Fatalf("%s %q: %v", sql, args, err)
	}
	v := replication.Value{Null: text == nil}
	if text != nil {
		v.Text = *text
	}
	if got := bound.match(v); got != want {
		t.Fatalf("%s of %q with %q: match says %v, Postgres %v", clause, v.Text, args, got, want)
	}
}

type drawnType struct {
	name string
	oid  uint32
}

// drawCondition draws a type, a literal of it (nil for NULL) and a condition on it.
func drawCondition(t *rapid.T) (drawnType, *string, condition) {
	word := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "b", "NULL", "null", `"`, `\`, "{", "}", ",", "a,b", " ", "é", "日本 🚀", "'", `a"b\c`}),
		rapid.StringMatching(`[ab\\"{},N U]{0,4}`),
	)
	var c condition
	var literal string
	var typ drawnType
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		typ = rapid.SampledFrom([]drawnType{{"text", oidText}, {"varchar", oidVarchar}, {"varchar(2)", oidVarchar}}).Draw(t, "text")
		literal = word.Draw(t, "value")
		c = condition{op: equals, values: []string{rapid.OneOf(word, rapid.Just(literal)).Draw(t, "param")}}
	case 1:
		typ = drawnType{"text[]", oidTextArray}
		elements := rapid.SliceOfN(rapid.OneOf(rapid.Map(word, quoteElement), rapid.Just("NULL")), 0, 4).Draw(t, "elements")
		literal = "{" + strings.Join(elements, ",") + "}"
		if len(elements) == 2 && rapid.Bool().Draw(t, "nested") {
			literal = "[0:1][3:3]={{" + elements[0] + "},{" + elements[1] + "}}"
		}
		c = condition{op: contains, values: rapid.SliceOfN(word, 1, 3).Draw(t, "params")}
	case 2:
		typ = drawnType{rapid.SampledFrom([]string{"timestamp(3)", "timestamp(0)", "timestamp"}).Draw(t, "precision"), oidTimestamp}
		literal = rapid.OneOf(
			rapid.SampledFrom([]string{"infinity", "-infinity", "0044-03-15 12:00 BC", "12026-01-01", "2026-08-21", "2026-08-21 07:49:01.0005", "294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC", "epoch"}),
			stamp(" "),
		).Draw(t, "value")
		params := rapid.OneOf(stamp("T"), stamp(" "), rapid.Just("2026-08-21T00:00Z"))
		if _, ok := parseBound(literal); ok {
			params = rapid.OneOf(params, rapid.Just(literal))
		}
		c = condition{op: greater, values: []string{params.Draw(t, "param")}}
	case 3:
		typ = rapid.SampledFrom([]drawnType{{"int2", oidInt2}, {"int4", oidInt4}, {"int8", oidInt8}}).Draw(t, "width")
		literal = fmt.Sprint(rapid.Int16().Draw(t, "value"))
		c = condition{op: greater, values: []string{rapid.OneOf(rapid.Just(literal), rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) })).Draw(t, "param")}}
	}
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return typ, nil, c
	}
	return typ, &literal, c
}

func quoteElement(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

// stamp draws an ISO timestamp near one moment, in all the forms that are read.
func stamp(sep string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := fmt.Sprintf("%04d-%02d-%02d%s%02d:%02d",
			rapid.SampledFrom([]int{1, 1969, 2026, 9999}).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month"),
			rapid.IntRange(1, 28).Draw(t, "day"), sep, rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"))
		if rapid.Bool().Draw(t, "seconds") {
			s += fmt.Sprintf(":%02d", rapid.IntRange(0, 59).Draw(t, "second"))
			s += rapid.StringMatching(`(\.[0-9]{1,6})?`).Draw(t, "fraction")
		}
		return s + rapid.SampledFrom([]string{"", "Z", "+00", "-05:30", "+0200"}).Draw(t, "zone")
	})
}

func TestParseBoundRefuses(t *testing.T) {
	for _, s := range []string{
		"", "now", "yesterday", "infinity", "2026-08-21", "2026-08-21T", "2026-13-01T00:00Z", "2026-02-30T00:00Z",
		"2026-08-21T24:00Z", "2026-08-21T00:60", "2026-08-21T00:00:00.1234567Z", "2026-08-21T00:00:00Z0", "2026-08-21T00:00:00+1",
		"2026-08-21T00:00:00+16", "0000-01-01T00:00", "12026-08-21T00:00", "2026-08-21T00:00:00 BC", "2026-08-21X00:00",
	} {
		if at, ok := parseBound(s); ok {
			t.Errorf("%q was read as %s", s, at)
		}
	}
}
