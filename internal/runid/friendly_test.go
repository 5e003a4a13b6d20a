package runid

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFriendlyRoundTrip(t *testing.T) {
	ids := rapid.StringMatching(`[0-9A-Za-z-]{1,64}`)
	rapid.Check(t, func(t *rapid.T) {
		id := ids.Draw(t, "id")
		run, err := ParseRun(FormatRun(id))
		if err != nil || run.Kind() != Run || run.Suffix() != id || run.String() != "run_"+id || run.Home() != Home(id) {
			t.Fatalf("run %q: %+v, %v", id, run, err)
		}
		batch, err := ParseBatch(FormatBatch(id))
		if err != nil || batch.Kind() != Batch || batch.Suffix() != id || batch.String() != "batch_"+id {
			t.Fatalf("batch %q: %+v, %v", id, batch, err)
		}
		if _, err := ParseRun(batch.String()); err == nil {
			t.Fatalf("%s was read as a run", batch)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "run", "run_", "_", "run_a_b", "run__a", "Run_a", "RUN_a", " run_a", "run_a ", "run-a", "cmfq2lo3svto89wr23ltxdtig",
		"run_a\x00", "run_a'", "run_a/../b", "run_é", "run_\xff", "run_a%20", "run_" + strings.Repeat("a", 65), "run_" + strings.Repeat("é", 1<<16),
	} {
		_, err := ParseRun(s)
		var format *FormatError
		if !errors.As(err, &format) || format.Kind != Run || format.Value != s {
			t.Errorf("%.40q: %v", s, err)
			continue
		}
		if len(err.Error()) > 300 {
			t.Errorf("%.40q: the error is %d bytes long", s, len(err.Error()))
		}
	}
	if _, err := ParseBatch("run_a"); err == nil || !strings.Contains(err.Error(), "batch_<id>") {
		t.Errorf("a run's id as a batch's: %v", err)
	}
}

// FuzzParse looks for a text that is read and does not come back as it was, or
// that holds what a statement or a log should not.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (Friendly, error){ParseRun, ParseBatch} {
			id, err := parse(s)
			if err != nil {
				_ = err.Error()
				continue
			}
			if id.String() != s || len(s) > len("batch_")+maxIDLength || strings.Count(s, "_") != 1 {
				t.Fatalf("%q was read as %q", s, id)
			}
			if want := fits(id.Suffix()); (id.Home() == V2) != want {
				t.Fatalf("%q is at home in %v", s, id.Home())
			}
		}
	})
}
