package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/realtime-gw/realtime-gw/tests/npm"
)

// tableFile is where the table is left for `make test`, which prints it: go test
// shows nothing of a package that passes.
var tableFile = filepath.Join("..", ".cache", "browser.txt")

// table is how the scenarios went.
type table struct {
	mu    sync.Mutex
	words map[string]string // by scenario
}

func newTable() *table { return &table{words: make(map[string]string)} }

func (r *table) set(scenario, word string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.words[scenario] = word
}

// publish prints the table and writes it to its file.
func (r *table) publish() error {
	text, err := r.print()
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stdout, "\n"+text)
	if err := os.MkdirAll(filepath.Dir(tableFile), 0o755); err != nil {
		return err
	}
	return os.WriteFile(tableFile, []byte(text), 0o644)
}

// print is the table as text, in the order of the scenarios, without those that
// were not run.
func (r *table) print() (string, error) {
	const hooks = "@trigger.dev/react-hooks"
	version, err := npm.Version(".", hooks)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\thooks\n\t%s\n", version)
	for _, s := range scenarios() {
		if word := r.words[s.name]; word != "" {
			fmt.Fprintf(w, "%s\t%s\n", s.name, word)
		}
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	fmt.Fprintf(&text, "\nhooks: %s, in Chromium\n", hooks)
	return text.String(), nil
}
