package shapes

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawObject draws the text of a JSON object, and the same with every "status"
// that is "old" made "new". Names and values come in more spellings than one.
func drawObject(t *rapid.T, label string) (is, want string) {
	name := rapid.SampledFrom([]string{`"status"`, `"status"`, `"st\u0061tus"`, `"Status"`, `"statusReason"`, `"payload"`, `"value"`, `"old"`})
	value := rapid.OneOf(
		rapid.SampledFrom([]string{`"old"`, `"old"`, `"\u006fld"`, `"older"`, `"\"old\""`, `"\\old"`, `null`, `""`, `{"status":"old"}`, `["old"]`}),
		rapid.Map(rapid.String(), func(s string) string { b, _ := json.Marshal(s); return string(b) }),
	)
	var plain, changed []string
	for range rapid.IntRange(0, 4).Draw(t, label+" members") {
		n, v := name.Draw(t, label+" name"), value.Draw(t, label+" value")
		space := rapid.SampledFrom([]string{"", "", " ", "\n"}).Draw(t, "space")
		to := v
		if var1, var2 := string(text([]byte(n))), string(text([]byte(v))); var1 == "status" && var2 == "old" {
			to = `"new"`
		}
		plain, changed = append(plain, n+":"+space+v), append(changed, n+":"+space+to)
	}
	return "{" + strings.Join(plain, ",") + "}", "{" + strings.Join(changed, ",") + "}"
}

// Only the column's value is replaced, in any spelling of JSON; every other byte
// stays, and so does what was given.
func TestSubstitute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows, want []string
		for range rapid.IntRange(0, 4).Draw(t, "messages") {
			value, changed := drawObject(t, "row")
			other, _ := drawObject(t, "old row")
			headers := `{"operation":"update","status":"old"}`
			form := rapid.SampledFrom([]string{
				`{"headers":H,"key":"old","value":V}`, `{"key":"old","value":V,"headers":H}`, `{"value":V,"old_value":O,"key":"k","headers":H,"status":"old"}`,
				`{"key":"old","headers":H}`, `{ "value" : V ,"headers":H }`,
			}).Draw(t, "form")
			fill := func(v string) string {
				return strings.NewReplacer("V", v, "O", other, "H", headers).Replace(form)
			}
			rows, want = append(rows, fill(value)), append(want, fill(changed))
		}
		given := strings.Join(rows, ",")
		in := []byte(given)
		got := Substitute(in, "status", "old", "new")
		if string(got) != strings.Join(want, ",") {
			t.Fatalf("of %s\ncame %s\nnot  %s", given, got, strings.Join(want, ","))
		}
		if string(in) != given {
			t.Fatalf("%s was made %s", given, in)
		}
	})
}

// What needs no change is not copied: most bodies do not.
func TestSubstituteCopiesNothing(t *testing.T) {
	rows := []byte(`{"value":{"status":"other"},"headers":{}},{"value":{},"headers":{}}`)
	if got := Substitute(rows, "status", "old", "new"); &got[0] != &rows[0] || len(got) != len(rows) {
		t.Errorf("came %s", got)
	}
	if n := testing.AllocsPerRun(100, func() { Substitute(rows, "status", "old", "new") }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Rows that were not framed are a fault of the program, not of an upstream.
func TestSubstituteWantsRows(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Substitute([]byte(`{"value":{"status":"old"`), "status", "old", "new")
}
