package platform

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// Elements are counted as encoding/json counts them.
func TestElements(t *testing.T) {
	for _, list := range []string{`[]`, `[ ]`, `[[]]`, `[{},[1,2],"a,\\\"]",null]`, `["\\\\",1]`, "[\t1\n,\r2 ]", `[""]`, `[{"a":[1,2,{"b":"],["}]}]`} {
		same(t, []byte(list))
	}
	rapid.Check(t, func(t *rapid.T) {
		list, err := json.Marshal(rapid.SliceOf(rapid.OneOf(
			rapid.String().AsAny(), rapid.Int().AsAny(), rapid.SliceOf(rapid.String()).AsAny(), rapid.MapOf(rapid.String(), rapid.Bool()).AsAny(),
		)).Draw(t, "list"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, list)
	})
	if n := testing.AllocsPerRun(10, func() { elements([]byte(`[1,"2",[3]]`)) }); n > 0 {
		t.Errorf("to count them takes %v allocations", n)
	}
}

func same(t interface{ Errorf(string, ...any) }, list []byte) {
	var all []json.RawMessage
	if err := json.Unmarshal(list, &all); err != nil {
		t.Errorf("%s: %v", list, err)
	}
	if n := elements(list); n != len(all) {
		t.Errorf("%s has %d elements and not %d", list, len(all), n)
	}
}
