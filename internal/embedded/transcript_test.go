package embedded

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
)

// transcript is a recorded scenario; tests/transcripts says where they are from.
type transcript struct {
	Scenario string            `json:"scenario"`
	Env      map[string]string `json:"env"`
	Steps    []step            `json:"steps"`
}

type step struct {
	Kind string `json:"kind"`

	SQL string `json:"sql"`

	IDs []string `json:"ids"`

	ID       string            `json:"id"`
	Held     bool              `json:"held"`
	Uses     map[string]string `json:"uses"`
	Request  recordedRequest   `json:"request"`
	Response recordedResponse  `json:"response"`
}

type recordedRequest struct {
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Headers [][2]string `json:"headers"`
}

type recordedResponse struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

func loadTranscript(t *testing.T, name string) transcript {
	t.Helper()
	data, err := os.ReadFile("../../tests/transcripts/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var tr transcript
	if err := json.Unmarshal(data, &tr); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tr
}

// query is the recorded query, decoded.
func (r recordedRequest) query(t testing.TB) url.Values {
	t.Helper()
	_, raw, _ := strings.Cut(r.Target, "?")
	q, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// statements splits what was given to psql into what psql sent one by one.
func statements(sql string) []string {
	var out []string
	var quote byte
	from := 0
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ';':
			out = append(out, strings.TrimSpace(sql[from:i]))
			from = i + 1
		}
	}
	if rest := strings.TrimSpace(sql[from:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

// renaming maps what cannot be equal in two runs, one to one.
type renaming struct {
	there map[string]string // recorded -> ours
	back  map[string]string
}

func newRenaming() *renaming {
	return &renaming{there: make(map[string]string), back: make(map[string]string)}
}

// same says whether ours can be what was recorded, and remembers that it is.
func (n *renaming) same(recorded, ours string) bool {
	a, known := n.there[recorded]
	b, used := n.back[ours]
	if known || used {
		return a == ours && b == recorded
	}
	n.there[recorded], n.back[ours] = ours, recorded
	return true
}

// names are the renamings of one scenario.
type names struct {
	handle, lsn, xid *renaming
}

func newNames() *names { return &names{newRenaming(), newRenaming(), newRenaming()} }

// offset compares two offsets: the LSN up to renaming, the rest exactly.
func (n *names) offset(recorded, ours string) bool {
	a, x, ok := strings.Cut(recorded, "_")
	b, y, ok2 := strings.Cut(ours, "_")
	if !ok || !ok2 || a == "0" || b == "0" {
		return recorded == ours
	}
	return x == y && n.lsn.same(a, b)
}

// etag compares two etags: "<handle>:<offset>:<offset>", perhaps with a clock.
func (n *names) etag(recorded, ours string) bool {
	a, b := strings.Split(strings.Trim(recorded, `"`), ":"), strings.Split(strings.Trim(ours, `"`), ":")
	if len(a) != len(b) || len(a) < 3 || ours[0] != '"' || ours[len(ours)-1] != '"' {
		return false
	}
	return n.handle.same(a[0], b[0]) && n.offset(a[1], b[1]) && n.offset(a[2], b[2])
}

// ours puts the names of this run into a value of a recorded request.
func (n *names) ours(key, value string) string {
	switch key {
	case "handle":
		if h, ok := n.handle.there[value]; ok {
			return h
		}
	case "offset":
		if tx, op, ok := strings.Cut(value, "_"); ok {
			if l, ok := n.lsn.there[tx]; ok {
				return l + "_" + op
			}
		}
	}
	return value
}

// inHeader puts the names of this run into a recorded If-None-Match.
func (n *names) inHeader(value string) string {
	for a, b := range n.handle.there {
		value = strings.ReplaceAll(value, a, b)
	}
	for a, b := range n.lsn.there {
		value = strings.ReplaceAll(value, ":"+a+"_", ":"+b+"_")
	}
	return value
}

// finding is one thing that is not as recorded.
type finding struct {
	exchange string
	what     string // "status", "header <name>", "body", "message <n>"
	recorded string
	ours     string
}

func (f finding) String() string {
	short := func(s string) string {
		if len(s) > 400 {
			return s[:400] + "..."
		}
		return s
	}
	return fmt.Sprintf("%s: %s\n  recorded %s\n  ours     %s", f.exchange, f.what, short(f.recorded), short(f.ours))
}
