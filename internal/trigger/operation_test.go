package trigger

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func ops(t testing.TB, text string) (all []Operation) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// What each operation does to metadata. Without an arrow it does nothing.
func TestOperations(t *testing.T) {
	for _, c := range []struct{ metadata, operations, want string }{
		{``, `[{"type":"set","key":"a","value":1}]`, `{"a":1}`},
		{`{"b":2}`, `[{"type":"set","key":"a","value":{"x":[null]}}]`, `{"a":{"x":[null]},"b":2}`},
		{`{"a":2}`, `[{"type":"set","key":"a","value":null}]`, `{"a":null}`},
		{`{}`, `[{"type":"set","key":"$.a.b[0].c","value":1}]`, `{"a":{"b":[{"c":1}]}}`},
		{`{"a":[0,0]}`, `[{"type":"set","key":"$.a[1]","value":1},{"type":"set","key":"$.a[2][0]","value":2}]`, `{"a":[0,1,[2]]}`},
		{`{"a":[0]}`, `[{"type":"set","key":"$.a[2]","value":1}]`, ``},
		{`{"a":1}`, `[{"type":"set","key":"$.a.b","value":1}]`, ``},
		{`{"a":{"b":1}}`, `[{"type":"set","key":"a.b","value":2}]`, `{"a":{"b":1},"a.b":2}`},
		{`{"a":1}`, `[{"type":"delete","key":"a"}]`, `{}`},
		{`{"a":1}`, `[{"type":"delete","key":"b"}]`, ``},
		{`{"a":{"b":1}}`, `[{"type":"delete","key":"$.a.b"}]`, ``},
		{`{}`, `[{"type":"append","key":"a","value":1}]`, `{"a":[1]}`},
		{`{"a":[1]}`, `[{"type":"append","key":"a","value":[2]},{"type":"append","key":"a","value":3}]`, `{"a":[1,[2],3]}`},
		{`{"a":"x"}`, `[{"type":"append","key":"a","value":1}]`, `{"a":["x",1]}`},
		{`{"a":{}}`, `[{"type":"append","key":"$.a.b","value":1}]`, `{"a":{"b":[1]}}`},
		{`{"a":[1,2,1.0,"1"]}`, `[{"type":"remove","key":"a","value":1}]`, `{"a":[2,"1"]}`},
		{`{"a":[{"x":[1]},{"x":[2]}]}`, `[{"type":"remove","key":"a","value":{"x":[1.0]}}]`, `{"a":[{"x":[2]}]}`},
		{`{"a":"x"}`, `[{"type":"remove","key":"a","value":"x"}]`, ``},
		{`{}`, `[{"type":"remove","key":"a","value":"x"}]`, ``},
		{`{"a":1}`, `[{"type":"increment","key":"a","value":2.5}]`, `{"a":3.5}`},
		{`{}`, `[{"type":"increment","key":"a","value":-1},{"type":"increment","key":"a","value":-1}]`, `{"a":-2}`},
		{`{"a":"x"}`, `[{"type":"increment","key":"a","value":1}]`, `{"a":1}`},
		{`{"a":{"n":1}}`, `[{"type":"increment","key":"$.a.n","value":1}]`, `{"a":{"n":2}}`},
		{`{"a":1,"b":2}`, `[{"type":"update","value":{"c":3}}]`, `{"c":3}`},
		{`{"a":1}`, `[{"type":"update","value":{}},{"type":"set","key":"b","value":1}]`, `{"b":1}`},
		{`{"big":12345678901234567890,"f":1.10}`, `[{"type":"set","key":"a","value":10000000000000000001}]`, `{"a":10000000000000000001,"big":12345678901234567890,"f":1.10}`},
		{`[1]`, `[{"type":"set","key":"a","value":1}]`, `{"a":1}`},
		{`{"a":1}`, `[]`, ``},
		{`{}`, `[{"type":"set","key":"__proto__","value":1}]`, `{"__proto__":1}`},
	} {
		all := ops(t, c.operations)
		for _, o := range all {
			if err := o.check("operations"); err != nil {
				t.Errorf("%s is refused: %v", c.operations, err)
			}
		}
		got, changed, err := apply(c.metadata, all)
		if want, does := c.want, c.want != ""; err != nil || changed != does || does && got != want || !does && got != c.metadata {
			t.Errorf("%s %s: %s, %v, %v, want %s", c.metadata, c.operations, got, changed, err, want)
		}
	}
}

func TestOperationsRefused(t *testing.T) {
	for text, field := range map[string]string{
		`[{"type":"nothing","key":"a"}]`:                                       ".type",
		`[{"key":"a","value":1}]`:                                              ".type",
		`[{"type":"set","value":1}]`:                                           ".key",
		`[{"type":"set","key":"a"}]`:                                           ".value",
		`[{"type":"increment","key":"a","value":"1"}]`:                         ".value",
		`[{"type":"update","value":[1]}]`:                                      ".value",
		`[{"type":"set","key":"$.","value":1}]`:                                ".key",
		`[{"type":"set","key":"$.a..b","value":1}]`:                            ".key",
		`[{"type":"set","key":"$.a[x]","value":1}]`:                            ".key",
		`[{"type":"set","key":"$.a[1","value":1}]`:                             ".key",
		`[{"type":"set","key":"$.a[1]b","value":1}]`:                           ".key",
		`[{"type":"set","key":"$.a[1][","value":1}]`:                           ".key",
		`[{"type":"set","key":"$.a[-1]","value":1}]`:                           ".key",
		`[{"type":"set","key":"$.a[99999999999999999999]","value":1}]`:         ".key",
		`[{"type":"set","key":"a\u0000","value":1}]`:                           ".key",
		`[{"type":"set","key":"` + strings.Repeat("a", 2000) + `","value":1}]`: ".key",
	} {
		err := ops(t, text)[0].check("at")
		if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Field != "at"+field {
			t.Errorf("%.60s: %v, want %s refused", text, err, field)
		}
	}
	_, _, err := apply(`{"a":1e308}`, ops(t, `[{"type":"increment","key":"a","value":1e308}]`))
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Errorf("a number that JSON does not have: %v", err)
	}
	_, _, err = apply(`{}`, []Operation{{Type: "set", Key: "a", Value: json.RawMessage(`"` + strings.Repeat("a", MaxMetadata) + `"`)}})
	if invalid, ok := errors.AsType[*InvalidError](err); !ok || !invalid.TooLarge {
		t.Errorf("metadata that is too large: %v", err)
	}
}

// A request has so many operations, and what they make lies so deep, that the next
// request can read and change it still.
func TestOperationsAreBounded(t *testing.T) {
	many := make([]Operation, MaxOperations+1)
	for i := range many {
		many[i] = Operation{Type: "append", Key: "a", Value: json.RawMessage("1")}
	}
	refused := func(err error, field string) {
		t.Helper()
		if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Field != field {
			t.Errorf("%v, want %s refused", err, field)
		}
	}
	refused(MetadataChange{Operations: many}.check(), "operations")
	refused(MetadataChange{RootOperations: many}.check(), "rootOperations")
	if err := (MetadataChange{Operations: many[1:]}).check(); err != nil {
		t.Error(err)
	}
	deep := func(n int) json.RawMessage {
		return json.RawMessage(strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	refused(Operation{Type: "set", Key: "a", Value: deep(MaxDepth + 1)}.check("at"), "at.value")
	set := Operation{Type: "set", Key: "$" + strings.Repeat(".a", 500), Value: deep(MaxDepth - 500)}
	after, changed, err := apply(`{}`, []Operation{set})
	if err != nil || !changed || tooDeep([]byte(after)) {
		t.Errorf("as deep as may be: %v", err)
	}
	set.Value = deep(MaxDepth - 499)
	_, _, err = apply(`{}`, []Operation{set})
	refused(err, "metadata")
	large := json.RawMessage(`"` + strings.Repeat("a", MaxMetadata) + `"`)
	var again []Operation // each takes the place of the one before
	for range 5 {
		again = append(again, Operation{Type: "set", Key: "a", Value: large})
	}
	_, _, err = apply(`{}`, append(again, Operation{Type: "delete", Key: "a"}))
	refused(err, "operations")
}

// FuzzOperations looks for operations that pass the check and then do what they
// should not: panic, write what is no JSON object, or change their own values.
func FuzzOperations(f *testing.F) {
	f.Fuzz(func(t *testing.T, metadata, operations string) {
		var all []Operation
		if json.Unmarshal([]byte(operations), &all) != nil {
			return
		}
		for _, o := range all {
			if o.check("operations") != nil {
				return
			}
		}
		before, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		got, changed, err := apply(metadata, all)
		if after, _ := json.Marshal(all); string(after) != string(before) {
			t.Fatalf("%s became %s", before, after)
		}
		if err != nil || !changed {
			if got != metadata {
				t.Fatalf("%q was changed to %q: %v, %v", metadata, got, changed, err)
			}
			return
		}
		if _, err := object(got); err != nil || got == "" || len(got) > MaxMetadata {
			t.Fatalf("%q %s gave %q: %v", metadata, operations, got, err)
		}
		if again, _, err := apply(metadata, all); err != nil || again != got {
			t.Fatalf("%q and then %q", got, again)
		}
	})
}
