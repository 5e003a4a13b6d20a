package clients

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// tableFile is where the table is left for `make test`, which prints it: go test
// shows nothing of a package that passes.
var tableFile = filepath.Join("..", ".cache", "clients.txt")

// table is which client came through which scenario.
type table struct {
	clients []client

	mu    sync.Mutex
	cells map[string]map[string]string // by scenario and client
}

func newTable(clients []client) *table {
	return &table{clients: clients, cells: make(map[string]map[string]string)}
}

func (r *table) set(scenario string, c client, word string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells[scenario] == nil {
		r.cells[scenario] = make(map[string]string)
	}
	r.cells[scenario][c.String()] = word
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

// print is the table as text, without what was not run.
func (r *table) print() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, head := range []func(client) string{func(c client) string { return c.short }, client.kind} {
		for _, c := range r.clients {
			fmt.Fprint(w, "\t", head(c))
		}
		fmt.Fprintln(w)
	}
	for _, s := range scenarios() {
		if r.cells[s.name] == nil {
			continue
		}
		fmt.Fprint(w, s.name)
		for _, c := range r.clients {
			fmt.Fprint(w, "\t", r.cells[s.name][c.String()])
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	fmt.Fprintln(&text)
	for _, line := range r.legend() {
		fmt.Fprintln(&text, line)
	}
	return text.String(), nil
}

// legend says what the short names are, and why there is a "-".
func (r *table) legend() []string {
	var names []string
	missing := make(map[string][]string) // versions, by what they cannot do and why
	for _, c := range r.clients {
		if name := c.short + ": " + c.name; !slices.Contains(names, name) {
			names = append(names, name)
		}
		for what, why := range c.cannot {
			reason := what + ": " + why
			missing[reason] = append(missing[reason], c.short+" "+c.kind())
		}
	}
	lines := []string{strings.Join(names, ", ")}
	for _, reason := range slices.Sorted(maps.Keys(missing)) {
		lines = append(lines, fmt.Sprintf("- %s (%s)", reason, strings.Join(missing[reason], ", ")))
	}
	return lines
}
