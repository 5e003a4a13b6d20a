package embedded

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// scenarios are replayed against this server, all exchanges of each unless it
// says otherwise.
var scenarios = []scenario{
	{name: "01-tag-feed", stages: []stage{{
		step: 30, after: 1, await: []string{"live-two-a", "live-two-b"},
		reason: "the held requests were answered between the two transactions",
	}}},
	{name: "02-two-tables"},
	{name: "03-batch-feed"},
	{name: "04-single-run"},
	{name: "06-empty-shape"},
	{name: "07-snapshot-chunks"},
	{name: "08-log-chunks", stages: []stage{{
		step: 2, after: 4, ask: "live-big",
		reason: "the request was answered when Electric had seen four of the thirty transactions",
	}}},
	{
		name: "09-rotation-409",
		change: "the exchanges that delete a shape are left out, which nobody can do here, and the shape lives on after them; " +
			"one insert is made later, because it reached Electric's log only after d-next was answered",
		skip:   func(i int, _ step) bool { return i >= 25 && i <= 33 || i == 36 || i == 37 },
		forget: "m-snap",
		later:  map[string]int{"a-snap": 38},
	},
	{name: "20-early-chunk"},
}

// difference is a known way in which this server is not Electric.
type difference struct {
	name   string
	in     []string // scenarios in which it must show; none means all
	reason string
	is     func(finding) bool
}

func header(name string) func(finding) bool {
	return func(f finding) bool { return f.what == "header "+name }
}

var differences = []difference{
	{name: "electric-server", reason: "the server says its own name",
		is: func(f finding) bool { return f.what == "header electric-server" && f.ours == serverHeader }},
	{name: "x-request-id", reason: "a number of Electric's own, that no client reads", is: header("x-request-id")},
	{name: "date", reason: "set by net/http on a socket; there is none in process", is: header("date")},
	{name: "vary", reason: "Electric's web server sets it; bodies are never compressed here", is: header("vary")},
	{name: "content-length", reason: "bodies are in hand here and their length is known; Electric sends them chunked",
		is: func(f finding) bool {
			return f.what == "header transfer-encoding" && f.ours == "(none)" ||
				f.what == "header content-length" && f.recorded == "(none)"
		}},
	{name: "array dimensions", in: []string{"02-two-tables", "03-batch-feed", "04-single-run", "09-rotation-409"},
		reason: "recorded with a v2 table made by LIKE alone, whose arrays have no dimensions; the schema of the tests names them",
		is: func(f finding) bool {
			return f.what == "header electric-schema" &&
				normalJSON(strings.ReplaceAll(f.recorded, `{"type":"_text"}`, `{"type":"text","dims":1}`)) == normalJSON(f.ours)
		}},
	{name: "offset=now", in: []string{"01-tag-feed"}, reason: "not served here, and refused as Electric refuses",
		is: func(f finding) bool {
			return f.exchange == "now" && f.what == "status" &&
				strings.HasPrefix(f.ours, `400 {"errors":{"offset":["now is not supported`)
		}},
	{name: "live_sse", in: []string{"09-rotation-409"}, reason: "not served here, and refused as Electric refuses",
		is: func(f finding) bool {
			return f.exchange == "other-def-sse" && f.what == "status" &&
				strings.HasPrefix(f.ours, `400 {"errors":{"live_sse":["is not supported`)
		}},
	{name: "empty chunk", in: []string{"20-early-chunk"},
		reason: "Electric can answer nothing, not up to date, while the end of a snapshot is being recorded; here the answer waits for it",
		is: func(f finding) bool {
			switch f.exchange {
			case "t24-next", "t29-next":
				return f.what == "header etag" || f.what == "header electric-offset" && f.ours == "0_inf" ||
					f.what == "header electric-up-to-date" || f.what == "body" && strings.HasPrefix(f.recorded, "0 messages")
			case "t24-next1", "t29-next1":
				return f.what == "header etag" && strings.HasSuffix(f.ours, `:0_inf:0_inf"`)
			}
			return false
		}},
	{name: "late update", in: []string{"09-rotation-409"},
		reason: "Electric told readers of a schema change before it had logged the update that brought it; here they are one step",
		is: func(f finding) bool {
			switch f.exchange {
			case "after-add":
				return f.what == "header etag" || f.what == "header electric-offset" ||
					f.what == "body" && strings.HasPrefix(f.recorded, "2 messages") && strings.HasPrefix(f.ours, "3 messages")
			case "held-type":
				return f.what == "status" && strings.HasPrefix(f.recorded, "200") && f.ours == "409 "+mustRefetch
			}
			return false
		}},
}

func (d difference) expected(scenario string) bool {
	if d.in == nil {
		return true
	}
	for _, s := range d.in {
		if s == scenario {
			return true
		}
	}
	return false
}

// TestConformance replays recordings of Electric 1.7.12. Everything that is not
// as recorded must be in differences, and everything in differences must show.
func TestConformance(t *testing.T) {
	var mu sync.Mutex
	counts := map[string]int{}
	t.Run("replay", func(t *testing.T) {
		for _, sc := range scenarios {
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				used := map[string]int{}
				for _, f := range sc.run(t) {
					if d := explain(sc.name, f); d != "" {
						used[d]++
						continue
					}
					t.Error(f)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, d := range differences {
					if d.expected(sc.name) && used[d.name] == 0 && !t.Failed() {
						t.Errorf("the known difference %q does not show", d.name)
					}
					counts[d.name] += used[d.name]
				}
			})
		}
	})
	var table strings.Builder
	for _, d := range differences {
		where := "all scenarios"
		if d.in != nil {
			where = strings.Join(d.in, ", ")
		}
		fmt.Fprintf(&table, "\n  %s (%s; %d times): %s", d.name, where, counts[d.name], d.reason)
	}
	for _, sc := range scenarios {
		for _, st := range sc.stages {
			fmt.Fprintf(&table, "\n  staged in %s: %s", sc.name, st.reason)
		}
		if sc.change != "" {
			fmt.Fprintf(&table, "\n  changed in %s: %s", sc.name, sc.change)
		}
	}
	t.Logf("known differences from Electric 1.7.12:%s", table.String())
}

func explain(scenario string, f finding) string {
	for _, d := range differences {
		if d.expected(scenario) && d.is(f) {
			return d.name
		}
	}
	return ""
}
