package main

import (
	"os"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		exit(playPart(part))
	}
	pgtest.Main(m)
}

// Each benchmark runs, with few clients. Bounds that depend on time are not asked for:
// other tests run at the same time.
func TestEveryBenchmarkRuns(t *testing.T) {
	var out strings.Builder
	p := plan{most: 20, rounds: 1, rows: 200, changes: 4, untimed: true, race: raceDetector}
	err := p.run(t.Context(), &out, nil)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range benchmarks() {
		_, part, _ := strings.Cut(out.String(), "## "+b.name)
		part, _, _ = strings.Cut(part, "\n## ")
		if !strings.Contains(part, "|---|") || !strings.Contains(part, ", at ") {
			t.Errorf("%s printed no table, or no bound", b.name)
		}
	}
}
