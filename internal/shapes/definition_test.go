package shapes

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDefineTagFeed(t *testing.T) {
	floor := time.Date(2026, 8, 20, 2, 0, 0, 0, time.FixedZone("CEST", 2*3600))
	d := Define(LegacyTable, []string{"id", "runTags"},
		Equal("runtimeEnvironmentId", "env"), ContainsAll("runTags", []string{"user_42", "tier:pro", "user_42"}), After("createdAt", floor))
	got, err := url.ParseQuery(d.Query())
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"table":     {`public."TaskRun"`},
		"columns":   {`"id","runTags"`},
		"log":       {"full"},
		"where":     {`"runtimeEnvironmentId" = $1 AND "runTags" @> ARRAY[$2,$3] AND "createdAt" > $4`},
		"params[1]": {"env"}, "params[2]": {"tier:pro"}, "params[3]": {"user_42"},
		"params[4]": {"2026-08-20T00:00:00.000Z"},
	}
	if got.Encode() != want.Encode() {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestTableNames(t *testing.T) {
	for want, table := range map[string]Table{
		`public."TaskRun"`: LegacyTable, `public.task_run_v2`: V2Table, `"1st"."a""b"`: {"1st", `a"b`},
	} {
		if got := table.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// One feed, one spelling: however a caller orders and repeats tags and
// columns, the upstream sees one shape.
func TestDefineHasOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOfNDistinct(rapid.String(), 1, 6, rapid.ID).Draw(t, "tags")
		columns := []string{"id", "status", "payload", "runTags"}
		shuffled := rapid.Permutation(append(tags, tags[0])).Draw(t, "shuffled")
		a := Define(V2Table, columns, ContainsAll("runTags", tags))
		b := Define(V2Table, append(rapid.Permutation(columns).Draw(t, "columns"), "id"), ContainsAll("runTags", shuffled))
		if a.Query() != b.Query() {
			t.Fatalf("two spellings:\n%s\n%s", a.Query(), b.Query())
		}
	})
}

// No value reaches the text of the where clause, whatever it holds, and every
// placeholder has its value.
func TestValuesAreBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		tags := rapid.SliceOfNDistinct(rapid.String(), 1, 4, rapid.ID).Draw(t, "tags")
		q, err := url.ParseQuery(Define(LegacyTable, []string{"id"}, Equal("id", value), ContainsAll("runTags", tags)).Query())
		if err != nil {
			t.Fatal(err)
		}
		marks := make([]string, len(tags))
		for i := range marks {
			marks[i] = "$" + string(rune('2'+i))
		}
		if got, want := q.Get("where"), `"id" = $1 AND "runTags" @> ARRAY[`+strings.Join(marks, ",")+`]`; got != want {
			t.Fatalf("where is %s, want %s", got, want)
		}
		if got := q.Get("params[1]"); got != value {
			t.Fatalf("params[1] is %q, want %q", got, value)
		}
	})
}

// Who pays for a shape is who may see it.
func TestEnvironment(t *testing.T) {
	for want, conditions := range map[string][]Condition{
		"env": {Equal("runtimeEnvironmentId", "env"), Equal("id", "x")},
		"x":   {ContainsAll("runTags", []string{"env"}), Equal("runtimeEnvironmentId", "x")},
		"":    {Equal("id", "env"), ContainsAll("runtimeEnvironmentId", []string{"env"})},
	} {
		if got := Define(V2Table, []string{"id"}, conditions...).Environment(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
