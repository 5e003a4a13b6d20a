package electric

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README of the older recordings lists how 1.2.4 differs from 1.7.12. For each
// there is a test, which exists, or a reason why there is none.
func TestEveryDifferenceIsAccountedFor(t *testing.T) {
	text, err := os.ReadFile("../../../tests/transcripts/1.2.4/README.md")
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{
		"electric": ".", "flight": "../flight", "shapes": "..", "cursor": "../../cursor", "blackbox": "../../../tests/blackbox",
	}
	named := regexp.MustCompile(`(\w+)\.(Test\w+)`)
	rows := 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| topic") {
			continue
		}
		rows++
		topic, here := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[4])
		tests := named.FindAllStringSubmatch(here, -1)
		if len(tests) == 0 && !strings.HasPrefix(here, "none: ") {
			t.Errorf("%s: neither a test nor a reason: %q", topic, here)
		}
		for _, m := range tests {
			if !has(t, folders[m[1]], m[2]) {
				t.Errorf("%s: there is no %s", topic, m[0])
			}
		}
	}
	if rows < 29 {
		t.Errorf("%d differences, of 29 that were found", rows)
	}
}

// has says whether a folder has a test of this name.
func has(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || folder == "" {
		return false
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
