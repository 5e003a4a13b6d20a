package trigger_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of the table of what is lost without Redis names a test of this package,
// and every such test of docs/trigger.md is there.
func TestLossesAreShown(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "trigger.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	_, table, _ := strings.Cut(string(document), "\n| Redis | what comes of")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[2:] // behind the rest of the head, and the line below it
	for _, row := range rows {
		tests := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(row, -1)
		if len(tests) == 0 {
			t.Errorf("no test shows %s", row)
		}
		for _, test := range tests {
			if !strings.Contains(source.String(), "\nfunc "+test[1]+"(t *testing.T)") {
				t.Errorf("there is no %s", test[1])
			}
		}
	}
	if len(rows) < 10 {
		t.Errorf("%d rows", len(rows))
	}
}
