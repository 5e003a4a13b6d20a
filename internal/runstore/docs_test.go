package runstore_test

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// documented is a row of docs/runstore.md's table of methods.
type documented struct {
	query, sets, tables, lock, errors string
}

// documents reads the table.
func documents(t *testing.T) map[string]documented {
	t.Helper()
	text, err := os.ReadFile("../../docs/runstore.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("^`([A-Z]\\w*)`$")
	all := map[string]documented{}
	_, after, _ := strings.Cut(string(text), "\n## Methods\n")
	table, _, _ := strings.Cut(after, "\n## ")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		method := name.FindStringSubmatch(cells[0])
		if method == nil {
			continue
		}
		if _, twice := all[method[1]]; twice {
			t.Errorf("%s is there twice", method[1])
		}
		if len(cells) != 6 || slices.Contains(cells, "") {
			t.Fatalf("the row of %s has not six cells: %q", method[1], cells)
		}
		all[method[1]] = documented{cells[1], cells[2], cells[3], cells[4], cells[5]}
	}
	return all
}

// docs/runstore.md has every method, and nothing else.
func TestDocumented(t *testing.T) {
	documented := documents(t)
	store := reflect.TypeFor[*runstore.Store]()
	for i := range store.NumMethod() {
		if m := store.Method(i).Name; documented[m].query == "" {
			t.Errorf("docs/runstore.md does not have the method %s", m)
		} else {
			delete(documented, m)
		}
	}
	for m := range documented {
		t.Errorf("docs/runstore.md has %s, which is no method of the store", m)
	}
}

// Each row says what is really asked when the method is called: which statement, by
// which columns, on which tables, what it sets, and whether it locks. It is called with
// an id of either format, and for reads by a filter with ids and without.
func TestDocumentedAsItIs(t *testing.T) {
	rows := documents(t)
	f := newFixture(t)
	for _, table := range runid.Tables() {
		batch, err := f.store.CreateBatch(t.Context(), runstore.NewBatch{ID: f.mint.Mint(runid.Legacy), EnvironmentID: env, Open: true, IdempotencyKey: ptr("k of " + table.String())})
		if err != nil {
			t.Fatal(err)
		}
		r := f.newRun(table)
		r.IdempotencyKey, r.Status, r.TaskIdentifier = ptr("k"), runstore.PendingVersion, "task of "+table.String()
		run := f.create(t, r)
		calls := f.writes(t.Context(), f.store, run, batch)
		maps.Copy(calls, f.finds(t.Context(), run, batch, runstore.Filter{IDs: []string{run.ID}}))
		everywhere := f.finds(t.Context(), run, batch, runstore.Filter{})
		for name, row := range rows {
			call := calls[name]
			if call == nil {
				t.Errorf("%s is not called", name)
				continue
			}
			f.asked.take()
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if row.tables != "both, or by id, many" && row.gives("ErrTooSlow") != f.asked.bound() {
				t.Errorf("%s has a bound of time: %v; its errors: %s", name, f.asked.bound(), row.errors)
			}
			for _, wrong := range row.compare(statements(f.asked.take()), table) {
				t.Errorf("%s, of a run in %v: %s", name, table, wrong)
			}
			if row.tables == "both, or by id, many" {
				row.tables, row.query = "both", quoted.FindString(row.query)
				if err := everywhere[name](); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if row.gives("ErrTooSlow") != f.asked.bound() {
					t.Errorf("%s, by no id, has a bound of time: %v; its errors: %s", name, f.asked.bound(), row.errors)
				}
				for _, wrong := range row.compare(statements(f.asked.take()), table) {
					t.Errorf("%s, by no id: %s", name, wrong)
				}
			}
			if _, err := f.pool.Exec(t.Context(), `UPDATE `+table.SQL()+` SET status = 'PENDING_VERSION', "idempotencyKey" = 'k' WHERE id = $1`, run.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Each row says whether what is not there is an error, and which writes may break a unique
// index.
func TestDocumentedErrors(t *testing.T) {
	f := newFixture(t)
	for _, table := range runid.Tables() {
		id, batchID := f.mint.Mint(table), f.mint.Mint(runid.Legacy)
		none := runstore.Run{ID: id, FriendlyID: runid.FormatRun(id), EnvironmentID: env, TaskIdentifier: "none", IdempotencyKey: ptr("none"), MetadataVersion: 1}
		batch := runstore.Batch{ID: batchID, FriendlyID: "batch_" + batchID, EnvironmentID: env, IdempotencyKey: ptr("none")}
		calls := f.writes(t.Context(), f.store, none, batch)
		maps.Copy(calls, f.finds(t.Context(), none, batch, runstore.Filter{IDs: []string{id}}))
		for name, row := range documents(t) {
			if creates := strings.HasPrefix(name, "Create"); creates || row.gives("*UniqueError") {
				if !creates || !row.gives("*UniqueError") {
					t.Errorf("%s: its errors are %s", name, row.errors)
				}
				continue
			}
			if err := calls[name](); errors.Is(err, runstore.ErrNotFound) != row.gives("ErrNotFound") {
				t.Errorf("%s of what is not there: %v; its errors: %s", name, err, row.errors)
			}
		}
	}
}

func (d documented) gives(name string) bool { return strings.Contains(d.errors, "`"+name+"`") }

// statements leaves out those that begin and end a transaction.
func statements(all []string) []string {
	return slices.DeleteFunc(all, func(sql string) bool {
		word, _, _ := strings.Cut(strings.TrimSpace(strings.ToLower(sql)), " ")
		return slices.Contains([]string{"begin", "commit", "savepoint", "rollback", "release"}, word)
	})
}

var (
	quoted     = regexp.MustCompile("`([^`]+)`")
	targets    = regexp.MustCompile(`(?:FROM|INTO|UPDATE|JOIN) public\."?(TaskRun|task_run_v2|BatchTaskRun)"?`)
	assigned   = regexp.MustCompile(`(?s)\bSET (.*?)\s(?:WHERE|FROM)\s`)
	target     = regexp.MustCompile(`(?:^|,)\s*"?(\w+)"? = `)
	compared   = regexp.MustCompile(`(?:\b\w\.)?"?(\w+)"? = (?:ANY\(\s*)?(?:[@'$]|k\.(?:key|id))|NOT (sealed)`)
	supersedes = regexp.MustCompile(`\(SELECT false FROM public.*?\), true\)`)
)

// compare says what of the row is not so.
func (d documented) compare(asked []string, table runid.Table) (wrong []string) {
	is := func(what string, documented, found any) {
		if diff := cmp.Diff(documented, found); diff != "" {
			wrong = append(wrong, what+" (- documented, + asked): "+diff+strings.Join(asked, "\n"))
		}
	}
	words := []string{}
	for _, word := range quoted.FindAllStringSubmatch(d.query, -1) {
		words = append(words, word[1])
	}
	if len(asked) == 0 || len(words) == 0 {
		is("asks", strings.HasPrefix(d.query, "none"), len(asked) == 0)
		return wrong
	}
	sql := supersedes.ReplaceAllString(asked[0], "")
	is("statements", 1, len(asked))

	kind := "SELECT"
	for _, k := range []string{"INSERT INTO", "UPDATE public"} {
		if strings.Contains(sql, k) {
			kind, _, _ = strings.Cut(k, " ")
		}
	}
	lock := strings.Contains(sql, "FOR UPDATE")
	if lock && kind == "SELECT" {
		kind = "SELECT … FOR UPDATE"
	}
	is("the statement", words[0], kind)

	sets, rest := map[string]bool{}, sql
	for _, set := range assigned.FindAllStringSubmatch(sql, -1) {
		rest = strings.ReplaceAll(rest, set[1], "")
		for _, column := range target.FindAllStringSubmatch(outermost(set[1]), -1) {
			sets[column[1]] = true
		}
	}
	if kind == "UPDATE" {
		is("it sets updatedAt", true, sets["updatedAt"])
		delete(sets, "updatedAt")
	}
	says := map[string]bool{}
	for _, column := range quoted.FindAllStringSubmatch(d.sets, -1) {
		says[column[1]] = true
	}
	is("what it sets", says, sets)

	by, saysBy := map[string]bool{}, map[string]bool{}
	if kind != "INSERT" {
		for _, column := range compared.FindAllStringSubmatch(rest, -1) {
			by[column[1]+column[2]] = true
		}
	}
	is("it names the environment", kind != "INSERT", by["runtimeEnvironmentId"] || strings.Contains(sql, `"runtimeEnvironmentId" = k.environment`) || strings.Contains(sql, `"runtimeEnvironmentId" = e`))
	delete(by, "runtimeEnvironmentId")
	for _, column := range words[1:] {
		saysBy[column] = true
	}
	is("by what", saysBy, by)
	locks := "row"
	switch {
	case by["metadataVersion"]:
		locks = "version"
	case by["status"] || by["sealed"]:
		locks = "status"
	case kind == "SELECT":
		locks = "none"
	}
	is("how it locks", d.lock, locks)

	named := map[string]bool{}
	for _, name := range targets.FindAllStringSubmatch(sql, -1) {
		named[name[1]] = true
	}
	home := map[runid.Table]string{runid.Legacy: "TaskRun", runid.V2: "task_run_v2"}
	want := map[string]map[string]bool{
		"by id": {home[table]: true}, "by id, many": {home[table]: true}, "both, or by id, many": {home[table]: true},
		"both": {"TaskRun": true, "task_run_v2": true}, "batches": {"BatchTaskRun": true}, "by id, batches": {home[table]: true, "BatchTaskRun": true},
	}[d.tables]
	is("the tables", want, named)
	return wrong
}

// outermost leaves out what is in parentheses.
func outermost(sql string) string {
	depth := 0
	return strings.Map(func(c rune) rune {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0:
			return c
		}
		return -1
	}, sql)
}
