package embedded

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// TestStringsRoundTrip: any text is valid JSON that reads as the same text, with
// nothing escaped that JSON does not demand.
func TestStringsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		var got string
		if err := json.Unmarshal(appendString(nil, raw), &got); err != nil || got != strings.ToValidUTF8(raw, "\ufffd") && got != eachByte(raw) {
			t.Fatalf("%q was read as %q, %v", raw, got, err)
		}
	})
	if got := string(appendString(nil, "<a>&\u2028 é🚀\"\\\n\x01")); got != "\"<a>&\u2028 é🚀\\\"\\\\\\n\\u0001\"" {
		t.Error(got)
	}
}

// eachByte replaces every byte that is not text, as range does.
func eachByte(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

// TestKey: slashes are doubled everywhere, dots in the relation, quotes nowhere
// (sync-service 1.7.12, replication/changes.ex).
func TestKey(t *testing.T) {
	value := func(s string) replication.Value { return replication.Value{Text: s} }
	row := replication.Tuple{value(`a/b"c`), value("x"), {Null: true}, value("")}
	for want, e := range map[string]*encoder{
		`"public"."T"/"a//b"c"`:     newEncoder(replication.Table{Schema: "public", Name: "T"}, []string{"a", "b", "c", "d"}, []string{"a"}),
		`"s..1"."t//2"/""/"x"`:      newEncoder(replication.Table{Schema: "s.1", Name: "t/2"}, []string{"a", "b", "c", "d"}, []string{"d", "b"}),
		`"p"."q"/"a//b"c"/"x"/_/""`: newEncoder(replication.Table{Schema: "p", Name: "q"}, []string{"a", "b", "c", "d"}, nil),
	} {
		if got := e.key(row); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestSchemaTypes: what a client is told of types beyond those of the run tables.
func TestSchemaTypes(t *testing.T) {
	for want, c := range map[string]columnSchema{
		`{"type":"varchar","max_length":5}`:            {typeOID: oidVarchar, typeName: "varchar", modifier: 9},
		`{"type":"bpchar","length":3,"not_null":true}`: {typeOID: oidBpchar, typeName: "bpchar", modifier: 7, notNull: true},
		`{"type":"numeric","precision":10,"scale":2}`:  {typeOID: oidNumeric, typeName: "numeric", modifier: 10<<16 + 2 + 4},
		`{"type":"timestamptz","precision":6}`:         {typeOID: oidTimestampTZ, typeName: "timestamptz", modifier: 6},
		`{"type":"bit","length":8}`:                    {typeOID: oidBit, typeName: "bit", modifier: 8},
		`{"type":"int4","dims":2}`:                     {typeOID: 1007, typeName: "_int4", element: "int4", dims: 2, modifier: -1},
		`{"type":"_int4"}`:                             {typeOID: 1007, typeName: "_int4", element: "int4", modifier: -1},
		`{"type":"text"}`:                              {typeOID: oidText, typeName: "text", modifier: -1},
	} {
		c.pkIndex = -1
		if got := marshal(c.entry()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
