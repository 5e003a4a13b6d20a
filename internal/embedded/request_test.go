package embedded

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestIdentity says which requests read the same shape, as Electric
// says it (sync-service 1.7.12, shapes/shape.ex).
func TestIdentity(t *testing.T) {
	base := url.Values{
		"table": {`public."TaskRun"`}, "offset": {"-1"}, "columns": {`id,"runTags"`},
		"where": {`"runtimeEnvironmentId" = $1 AND "runTags" @> ARRAY[$2,$3]`}, "params[1]": {"e"}, "params[2]": {"a"}, "params[3]": {"b"},
	}
	identity := func(q url.Values) string {
		r, err := parseRequest(q)
		if err != nil {
			t.Fatalf("%v: %v", q, err)
		}
		return r.definition.identity()
	}
	for name, q := range map[string]url.Values{
		"column order":      with(base, "columns", `"runTags",id`),
		"quoted column":     with(base, "columns", `"id","runTags"`),
		"white space":       with(base, "where", ` "runtimeEnvironmentId"=$1  and "runTags"@>array[$2 , $3] `),
		"schema left out":   with(base, "table", `"TaskRun"`),
		"offset and handle": with(base, "offset", "0_0", "handle", "h", "live", "true", "cursor", "7"),
		"surplus parameter": with(base, "params[4]", "z"),
		"unknown parameter": with(base, "feed", "x", "cache-buster", "1"),
		"number of a parameter": with(base, "where", `"runtimeEnvironmentId" = $3 AND "runTags" @> ARRAY[$1,$2]`,
			"params[3]", "e", "params[1]", "a", "params[2]", "b"),
	} {
		if identity(q) != identity(base) {
			t.Errorf("%s makes another shape", name)
		}
	}
	for name, q := range map[string]url.Values{
		"value":       with(base, "params[1]", "f"),
		"tag order":   with(base, "params[2]", "b", "params[3]", "a"),
		"tag count":   with(base, "where", `"runtimeEnvironmentId" = $1 AND "runTags" @> ARRAY[$2]`),
		"columns":     with(base, "columns", "id"),
		"all columns": with(base, "columns", ""),
		"table":       with(base, "table", "task_run_v2"),
		"no where":    with(base, "where", ""),
	} {
		if identity(q) == identity(base) {
			t.Errorf("another %s makes the same shape", name)
		}
	}
}

func TestCursorOfARequest(t *testing.T) {
	base := url.Values{"table": {`"TaskRun"`}, "offset": {"0_0"}, "handle": {"h"}, "live": {"true"}}
	for text, want := range map[string]int64{"": 0, "66952596": 66952596, "x": 0, "9223372036854775807": 0, "99999999999999999999": 0} {
		if r, err := parseRequest(with(base, "cursor", text)); err != nil || r.cursor != want {
			t.Errorf("%q: %d, %v", text, r.cursor, err)
		}
	}
}

// TestIdentityIsInjective: no choice of values makes two definitions look alike.
func TestIdentityIsInjective(t *testing.T) {
	draw := func(t *rapid.T, label string) (definition, []string) {
		word := rapid.StringMatching(`[a|:*1-3]{0,3}`)
		values := rapid.SliceOfN(word, 1, 3).Draw(t, label)
		return definition{
			columns: rapid.SliceOfN(word, 1, 2).Draw(t, label+" columns"),
			where:   []condition{{op: contains, column: "c", values: values}},
		}, values
	}
	rapid.Check(t, func(t *rapid.T) {
		a, av := draw(t, "a")
		b, bv := draw(t, "b")
		same := strings.Join(av, "\x00") == strings.Join(bv, "\x00") && strings.Join(a.columns, "\x00") == strings.Join(b.columns, "\x00")
		if (a.identity() == b.identity()) != same {
			t.Fatalf("%+v and %+v: %q and %q", a, b, a.identity(), b.identity())
		}
	})
}

// TestUnsupportedIsRefused: what Electric serves and this server does not is a
// 400 of the parameter's name.
func TestUnsupportedIsRefused(t *testing.T) {
	base := url.Values{"table": {`"TaskRun"`}, "offset": {"-1"}}
	for field, q := range map[string]url.Values{
		"offset":   with(base, "offset", "now"),
		"log":      with(base, "log", "changes_only"),
		"replica":  with(base, "replica", "full"),
		"live_sse": with(base, "offset", "0_0", "handle", "h", "live", "true", "live_sse", "true"),
		"subset":   with(base, "subset__limit", "1"),
		"where":    with(base, "where", `id = 'a'`),
	} {
		if _, err := parseRequest(q); err == nil || err.field != field || !strings.Contains(err.message, "support") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestWhereNeverFails: any text is parsed or refused, and an error never repeats
// a value.
func TestWhereNeverFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clause := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			`"a"`, "b", `"`, "=", "@>", ">", "<", "$1", "$2", "$9", "$", "ARRAY", "[", "]", ",", "AND", " ", "'x'", "é", "\x00", "\xff", "(", "--",
		})).Draw(t, "tokens"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
		conditions, err := parseWhere(clause, []string{"SECRET", "SECRET"})
		if err != nil {
			if strings.Contains(err.message, "SECRET") {
				t.Fatalf("%q: %v", clause, err)
			}
			return
		}
		for _, c := range conditions {
			if c.column == "" || len(c.values) == 0 || c.op != contains && len(c.values) != 1 {
				t.Fatalf("%q was read as %+v", clause, c)
			}
		}
	})
}
