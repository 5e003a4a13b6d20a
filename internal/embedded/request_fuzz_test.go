package embedded

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// FuzzParseRequest: any query is read or refused; what is read can be served, and
// asks for the same shape however often it is asked; what is refused is refused in
// words that do not depend on the values of parameters, which are other people's.
func FuzzParseRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r, bad := parseRequest(q)
		if bad != nil {
			if bad.field == "" || bad.message == "" {
				t.Fatalf("refused with %+v", bad)
			}
			if _, other := parseRequest(otherValues(q)); other == nil || *other != *bad {
				t.Fatalf("refused with %v, and with other values %v", bad, other)
			}
			return
		}
		d := r.definition
		switch {
		case d.table.Schema == "" || d.table.Name == "" || len(d.table.Schema) > 63 || len(d.table.Name) > 63:
			t.Fatalf("the table %+v", d.table)
		case !slices.IsSorted(d.columns) || len(slices.Compact(slices.Clone(d.columns))) != len(d.columns):
			t.Fatalf("the columns %q", d.columns)
		case (r.offset.Kind == shapes.BeforeAll) != (r.handle == "") || r.offset.Kind == shapes.Now || r.live && r.handle == "":
			t.Fatalf("the position %s of %q, live %v", r.offset, r.handle, r.live)
		case r.cursor >= 1<<53:
			t.Fatalf("the cursor %d", r.cursor)
		}
		for _, c := range d.where {
			if c.column == "" || len(c.column) > 63 || len(c.values) == 0 || c.op != contains && len(c.values) != 1 || c.op < equals || c.op > greater {
				t.Fatalf("the condition %+v", c)
			}
		}
		again, bad := parseRequest(q)
		if bad != nil || again.definition.identity() != d.identity() {
			t.Fatalf("%+v, and then %+v, %v", r, again, bad)
		}
		if _, bad := parseRequest(otherValues(q)); bad != nil {
			t.Fatalf("taken, and with other values refused with %v", bad)
		}
	})
}

// otherValues has other values for all parameters of a where clause.
func otherValues(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = v
		if strings.HasPrefix(k, "params[") {
			out[k] = []string{"another " + strings.Join(v, "")}
		}
	}
	return out
}
