package runstore_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// docs/runstore.md says of every method its query, its tables, its lock and its
// errors, and of nothing else.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/runstore.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("^`([A-Z]\\w*)`$")
	tables := map[string]bool{
		"by id": true, "by id, many": true, "both": true, "both, or by id, many": true, "batches": true, "by id, batches": true, "none": true,
	}
	locks := map[string]bool{"none": true, "row": true, "version": true, "status": true}
	documented := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		method := name.FindStringSubmatch(cells[0])
		if method == nil {
			continue
		}
		if documented[method[1]] {
			t.Errorf("%s is there twice", method[1])
		}
		documented[method[1]] = true
		if len(cells) != 5 || cells[1] == "" || !tables[cells[2]] || !locks[cells[3]] || cells[4] == "" {
			t.Errorf("the row of %s has a cell that is not one of the words of the table: %q", method[1], cells)
		}
	}
	store := reflect.TypeFor[*runstore.Store]()
	for i := range store.NumMethod() {
		if m := store.Method(i).Name; !documented[m] {
			t.Errorf("docs/runstore.md does not have the method %s", m)
		} else {
			delete(documented, m)
		}
	}
	for m := range documented {
		t.Errorf("docs/runstore.md has %s, which is no method of the store", m)
	}
}
