package clients

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// scenario is something that every client must come through.
type scenario struct {
	name string
	run  func(t *testing.T, c client)
	// rawOnly marks what the SDK has no way to ask for.
	rawOnly bool
}

func scenarios() []scenario {
	return []scenario{
		{name: "snapshot of both tables", run: snapshot},
		{name: "snapshot and bursts in chunks", run: chunks},
		{name: "live insert, update, delete", run: live},
		{name: "transaction over both tables", run: transactions},
		{name: "TRUNCATE of TaskRun", run: truncation(runid.Legacy)},
		{name: "TRUNCATE of task_run_v2", run: truncation(runid.V2)},
		{name: "gateway killed, restarted", run: restart},
		{name: "gateway killed, another takes over", run: takeover},
		{name: "gateway killed, another behind a proxy", run: failover},
		{name: "resumed from a stored place", run: resume, rawOnly: true},
		{name: "public tokens", run: publicTokens},
	}
}

// TestClients runs every scenario with every client, and says how it went.
func TestClients(t *testing.T) {
	var results table
	t.Run("with", func(t *testing.T) {
		for _, s := range scenarios() {
			for i, c := range clients() {
				if s.rawOnly && c.sdk {
					continue
				}
				t.Run(s.name+"/"+c.folder, func(t *testing.T) {
					t.Parallel()
					t.Cleanup(func() { results.set(s.name, i, !t.Failed()) })
					s.run(t, c)
				})
			}
		}
	})
	// The inner group returns when all that ran side by side is over.
	text, err := results.print()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(os.Stdout, text)
}

// table is which client came through which scenario.
type table struct {
	mu    sync.Mutex
	cells map[string]map[int]bool
}

func (r *table) set(scenario string, client int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells == nil {
		r.cells = make(map[string]map[int]bool)
	}
	if r.cells[scenario] == nil {
		r.cells[scenario] = make(map[int]bool)
	}
	r.cells[scenario][client] = ok
}

// print is the table as text: "-" where nothing ran.
func (r *table) print() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	text.WriteString("\n")
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, c := range clients() {
		version, err := installed(c.folder)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(w, "\t%s %s", c.name, version)
	}
	fmt.Fprintln(w)
	for _, s := range scenarios() {
		fmt.Fprint(w, s.name)
		for i := range clients() {
			word := "-"
			if ok, ran := r.cells[s.name][i]; ran {
				word = map[bool]string{true: "ok", false: "FAILED"}[ok]
			}
			fmt.Fprint(w, "\t", word)
		}
		fmt.Fprintln(w)
	}
	err := w.Flush()
	return text.String(), err
}
