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
	{
		name: "10-errors-400", change: "bytes that are no URL are left out",
		skip: func(_ int, s step) bool { return s.ID == "bad-percent" || s.ID == "bad-utf8" },
	},
	{
		name: "14-http-surface", change: "targets that net/http does not let a client send are left out",
		skip: func(_ int, s step) bool { return s.ID == "path-absolute" },
	},
	{name: "20-early-chunk"},
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
