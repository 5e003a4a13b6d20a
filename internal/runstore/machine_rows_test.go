package runstore_test

import (
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// tableRow is a row of a run table, as it is there.
type tableRow struct {
	InV2 bool `db:"inV2"`
	runstore.Run
}

// sameRows compares all rows of the machine's environments, in both tables, with what
// the naive store has: what a write changes beside what it says is found here.
func (m *machine) sameRows(t *rapid.T) {
	var want []tableRow
	for _, table := range runid.Tables() {
		for _, run := range m.naive.primary.in(table) {
			want = append(want, tableRow{table == runid.V2, run})
		}
	}
	slices.SortFunc(want, func(a, b tableRow) int {
		if a.InV2 != b.InV2 {
			return map[bool]int{false: -1, true: 1}[a.InV2]
		}
		return strings.Compare(a.ID, b.ID)
	})
	columns := columnsOf[runstore.Run]()
	m.compare(t, "the runs", want, tableRows[tableRow](m, t, `
		SELECT * FROM (SELECT false AS "inV2", `+columns+` FROM "TaskRun" WHERE "runtimeEnvironmentId" = ANY($1)
		UNION ALL SELECT true, `+columns+` FROM task_run_v2 WHERE "runtimeEnvironmentId" = ANY($1)) r
		ORDER BY "inV2", id COLLATE "C"`))
	batches := slices.SortedFunc(slices.Values(m.naive.primary.batches), func(a, b runstore.Batch) int { return strings.Compare(a.ID, b.ID) })
	m.compare(t, "the batches", batches, tableRows[runstore.Batch](m, t,
		`SELECT `+columnsOf[runstore.Batch]()+` FROM "BatchTaskRun" WHERE "runtimeEnvironmentId" = ANY($1) ORDER BY id COLLATE "C"`))
}

func (m *machine) compare(t *rapid.T, what string, want, got any) {
	if reflect.DeepEqual(want, got) || reflect.ValueOf(want).Len() == 0 && reflect.ValueOf(got).Len() == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// tableRows are the rows of the machine's environments that a statement gives.
func tableRows[T any](m *machine, t *rapid.T, sql string) []T {
	rows, err := m.db.Query(m.ctx, sql, m.envs)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// columnsOf are the columns that a row has fields for, the first of which is its id.
func columnsOf[T any]() string {
	var names []string
	of := reflect.TypeFor[T]()
	for i := range of.NumField() {
		names = append(names, pgx.Identifier{of.Field(i).Tag.Get("db")}.Sanitize())
	}
	return strings.Join(names, ", ")
}
