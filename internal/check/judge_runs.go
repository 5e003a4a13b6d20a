package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

func isRunTable(t tableFacts) bool {
	return t.wanted.sql == runTable(runid.Legacy) || t.wanted.sql == runTable(runid.V2)
}

// stored says whether a table is one, whole or in partitions, and no view.
func (t tableFacts) stored() bool { return t.there && (t.kind == "r" || t.kind == "p") }

// judgeRunTables looks at the two run tables, each by itself and then side by
// side: one schema header has to be true of both.
func judgeRunTables(name string, f databaseFacts) (lines []Line) {
	legacy, v2 := f.tables[0], f.tables[1]
	for _, pair := range [2][2]tableFacts{{legacy, v2}, {v2, legacy}} {
		if t, twin := pair[0], pair[1]; t.there {
			lines = append(lines, judgeRunTable(name, t, twin)...)
		}
	}
	if legacy.stored() && v2.stored() {
		lines = append(lines, compareRunTables(name, legacy, v2)...)
		if Worst(lines) == OK {
			lines = append(lines, fine(name, "the %d columns of runs are alike in both run tables", len(runColumns)))
		}
	}
	return lines
}

// fault collects the columns of a table that have the same fault: one line says
// them all, and one statement mends them.
type fault struct{ columns, changes []string }

func (x *fault) add(column, format string, args ...any) {
	x.columns = append(x.columns, quote(column))
	x.changes = append(x.changes, fmt.Sprintf(format, args...))
}

// line is nothing where there is no fault.
func (x *fault) line(make func(about, mend, format string, args ...any) Line, name, table, says string) []Line {
	if len(x.columns) == 0 {
		return nil
	}
	mend := fmt.Sprintf("ALTER TABLE %s %s", table, strings.Join(x.changes, ", "))
	return []Line{make(name, mend, "table %s: %s: %s", table, says, strings.Join(x.columns, ", "))}
}

func judgeRunTable(name string, t, twin tableFacts) (lines []Line) {
	table := t.wanted.sql
	if !t.stored() {
		return []Line{wrong(name, "give the name "+table+" to the table itself, and another one to what has it now", "%s is not a table", table)}
	}
	var missing, other, nullable, flat fault
	for _, want := range runColumns {
		c, ok := t.columns[want.name]
		switch {
		case !ok:
			missing.add(want.name, "ADD COLUMN %s %s", quote(want.name), definition(want, twin))
			continue
		case !want.fits(c):
			other.add(want.name, "ALTER COLUMN %s TYPE %s USING %[1]s::%[2]s", quote(want.name), rightType(want, twin))
			continue
		}
		if want.always && !c.NotNull {
			nullable.add(want.name, "ALTER COLUMN %s SET NOT NULL", quote(want.name))
		}
		if want.kind.word == texts.word && c.Dims != 1 {
			flat.add(want.name, "ALTER COLUMN %s TYPE %s", quote(want.name), c.Type)
		}
	}
	lines = append(lines, missing.line(wrong, name, table, "columns are missing")...)
	lines = append(lines, other.line(wrong, name, table, "columns have a type that clients cannot read")...)
	lines = append(lines, nullable.line(warn, name, table, "columns may be null, and a row in which one is ends its readers")...)
	lines = append(lines, flat.line(warn, name, table, "Postgres does not know that these arrays have one dimension, as after CREATE TABLE ... LIKE; the gateway reads them as if it did")...)
	if !slices.Equal(t.primary, []string{"id"}) {
		lines = append(lines, wrong(name, "ALTER TABLE "+table+" ADD PRIMARY KEY (id)", "table %s: its primary key is not id, by which clients know a row again", table))
	}
	if !t.byName {
		lines = append(lines, warn(name, "CREATE UNIQUE INDEX CONCURRENTLY ON "+table+` ("friendlyId")`, "table %s: no index begins with \"friendlyId\", by which runs are looked up", table))
	}
	return lines
}

// rightType is the twin's, where that can be read, or the platform's.
func rightType(want wantedColumn, twin tableFacts) string {
	if c, ok := twin.columns[want.name]; ok && want.fits(c) {
		return c.Type
	}
	return want.kind.spelled
}

// definition makes a column that is missing like its twin.
func definition(want wantedColumn, twin tableFacts) string {
	text := rightType(want, twin)
	c := twin.columns[want.name]
	if c.Default != "" {
		text += " DEFAULT " + c.Default
	}
	if c.NotNull || want.always {
		text += " NOT NULL"
	}
	return text
}

// compareRunTables finds columns that each table has in a good form, but not in
// the same. The v2 table is to be made like the other: that one is older, and the
// platform's.
func compareRunTables(name string, legacy, v2 tableFacts) (lines []Line) {
	var types, nulls fault
	for _, want := range runColumns {
		a, b := legacy.columns[want.name], v2.columns[want.name]
		if a.Name == "" || b.Name == "" {
			continue
		}
		if a.Type != b.Type && want.fits(a) && want.fits(b) {
			types.add(want.name, "ALTER COLUMN %s TYPE %s USING %[1]s::text::%[2]s", quote(want.name), a.Type)
		}
		if a.NotNull != b.NotNull && !want.always {
			does := "DROP"
			if a.NotNull {
				does = "SET"
			}
			nulls.add(want.name, "ALTER COLUMN %s %s NOT NULL", quote(want.name), does)
		}
	}
	lines = append(lines, types.line(wrong, name, v2.wanted.sql, "columns have another type than in "+legacy.wanted.sql+", so that feeds of both are a 500")...)
	return append(lines, nulls.line(warn, name, v2.wanted.sql, "columns may be null in one of the two run tables and not in the other")...)
}
