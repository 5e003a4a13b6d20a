package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// documented reads the table of package electric: for each answer, the verdict and
// the status that a client sees.
func documented(t *testing.T) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("../../internal/shapes/electric/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^//\t(\S.*?) {2,}(rows|Rotated|Unavailable|Refused) +(\d\d\d)$`).FindAllSubmatch(doc, -1) {
		rows[string(m[1])] = string(m[2]) + " " + string(m[3])
	}
	return rows
}

// TestAnswers gives the gateway every answer that the table of package electric
// knows, in every form, to a read and to a held poll, and compares what the Source
// and a client of the gateway make of it with that table. A fault of one side is the
// feed's; nothing that an upstream says reaches the client, its place stays where it
// was, and the log names the side that was at fault.
func TestAnswers(t *testing.T) {
	var front *upstream.Front
	w := newWorld(t, settings{linger: -1, keep: -1, impatient: true, silence: 200 * time.Millisecond, around: func(next http.RoundTripper) http.RoundTripper {
		front = upstream.New(t, next, "http://upstream.internal")
		return front.Transport()
	}})
	source, err := electric.New(electric.Config{
		Origin: "http://upstream.internal", Secret: secret, Transport: front.Transport(), Recheck: time.Millisecond, Silence: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]shapes.Table{"/realtime/v1/runs?tags=a": shapes.LegacyTable, w.ours.run(w.ours.v2): shapes.V2Table}
	places, handles, schemas := make(map[string]reply), make(map[string]string), make(map[string]string)
	for path, table := range feeds {
		front.Edit(func(a *upstream.Answer) {
			if a.Request.URL.Query().Get("table") == table.String() {
				handles[path], schemas[path] = a.Header.Get("Electric-Handle"), a.Header.Get("Electric-Schema")
			}
		})
		places[path] = w.fresh(path, w.ours.key)
	}
	front.Edit(nil)
	want, met := documented(t), make(map[string]bool)
	for _, c := range answers() {
		if met[c.row] = true; want[c.row] == "" {
			t.Errorf("%q is not in the table", c.row)
			continue
		}
		for path, table := range feeds {
			for _, query := range c.queries(places[path]) {
				front.Instead(func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/v1/shape" && r.URL.Query().Get("table") != table.String() {
						return false // the other side is well
					}
					return c.answer(w, question{r.URL.Query(), schemas[path]}, r)
				})
				before := len(w.log.String())
				got := w.get(with(path, query), w.ours.key)
				verdict := verdictOf(t, source, handles[path], table, query)
				if s := fmt.Sprintf("%s %d", verdict, got.status); s != want[c.row] {
					t.Errorf("%s, %s, %.20s: %s, and the table says %s\n%s", c.row, path, query, s, want[c.row], got.body)
				}
				if wrong := c.wrong(got, places[path], query, w.log.String()[before:], table); wrong != "" {
					t.Errorf("%s, %s, %.20s: %s", c.row, path, query, wrong)
				}
				front.Instead(nil)
				if query != "offset=-1" {
					if again := w.get(with(path, places[path].place()), w.ours.key); again.status != 200 || again.header["Electric-Up-To-Date"] == nil {
						t.Errorf("%s, %s: then %d %s", c.row, path, again.status, again.body)
					}
				}
			}
		}
	}
	for row := range want {
		if !met[row] {
			t.Errorf("no case for %q", row)
		}
	}
}

// verdictOf asks the Source itself.
func verdictOf(t *testing.T, source *electric.Client, handle string, table shapes.Table, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	def := shapes.Define(table, []string{"id"}, shapes.Equal("id", "x")) // no answer here depends on it
	pos := shapes.Position{Handle: handle}
	if query != "offset=-1" {
		pos.Offset = shapes.SnapshotEnd
	}
	var err error
	if strings.Contains(query, "live") {
		_, err = source.Wait(ctx, def, pos)
	} else {
		var page *shapes.Page
		if page, err = source.Read(ctx, def, pos); err == nil {
			defer page.Close()
			var all shapes.Batch
			if _, err = all.Fill(page.Messages, 1<<20); err != nil {
				return "Unavailable" // package steady says so of a body
			}
		}
	}
	var rotated *shapes.Rotated
	var refused *shapes.Refused
	var unavailable *shapes.Unavailable
	switch {
	case err == nil:
		return "rows"
	case errors.As(err, &rotated):
		return "Rotated"
	case errors.As(err, &refused):
		return "Refused"
	case errors.As(err, &unavailable):
		return "Unavailable"
	}
	return err.Error()
}

// question is one to the upstream.
type question struct {
	url.Values
	schema string // of what it asks for
}

func (q question) offset() shapes.Offset {
	offset, _ := shapes.ParseOffset(q.Get("offset"))
	return offset
}

func (q question) live() bool { return q.Get("live") == "true" }

// next is a place behind the one that was asked about.
func (q question) next(op uint32) string { return shapes.LogOffset(q.offset().Tx+1, op).String() }

// row is a change at that place.
func (q question) row(op uint32) string {
	return fmt.Sprintf(`{"key":"\"public\".\"x\"/\"%d\"","value":{"id":"row%d"},"headers":{"operation":"insert","lsn":"%d","op_position":%d}}`, op, op, q.offset().Tx+1, op)
}

// answerCase is a way to answer, and when to ask for it.
type answerCase struct {
	row    string // of the table
	only   string // "live", "read" or "beginning"; "": live and read
	answer func(w http.ResponseWriter, q question, r *http.Request) bool
	rows   []string // ids that the client is sent, if the answer is rows
}

func (c answerCase) queries(at reply) []string {
	read, live := at.place(), at.place("live", "true", "cursor", "7")
	switch c.only {
	case "live":
		return []string{live}
	case "read":
		return []string{read}
	case "beginning":
		return []string{"offset=-1"}
	}
	return []string{read, live}
}

// wrong says what is wrong with how a client is answered, or "".
func (c answerCase) wrong(got, at reply, query, log string, table shapes.Table) string {
	handle := got.header.Get("Electric-Handle")
	for name, values := range got.header {
		if text := strings.Join(values, ""); strings.Contains(text, "internal") || strings.Contains(text, "17-23") || name == "Location" || name == "X-Internal" {
			return "the header " + name + ": " + text
		}
	}
	if strings.Contains(got.body, "internal") || strings.Contains(log, "db-7") {
		return "the upstream's text: " + got.body + log
	}
	switch got.status {
	case 200:
		ids, _ := got.rowIDs()
		if strings.Join(ids, " ") != strings.Join(c.rows, " ") || got.header["Electric-Up-To-Date"] == nil || len(c.rows) > 0 && got.header.Get("Electric-Offset") == at.header.Get("Electric-Offset") {
			return fmt.Sprint("rows ", ids, " ", got.header)
		}
	case 409:
		if got.body != mustRefetch || handle == "" || handle == at.header.Get("Electric-Handle") {
			return got.body + " " + handle
		}
	case 500:
		if got.body != `{"error":"Internal Server Error"}` || got.header.Get("Retry-After") != "" {
			return fmt.Sprint(got.body, got.header)
		}
	case 503:
		if got.body != `{"error":"Service Unavailable"}` || got.header.Get("Retry-After") != "1" {
			return fmt.Sprint(got.body, got.header)
		}
	}
	if side := `"error":"`; got.status >= 500 && (strings.Count(log, side) != 1 || !strings.Contains(log, strings.ReplaceAll(table.Side(), `"`, `\"`))) {
		return "the log does not name the side, in one line: " + log
	}
	return ""
}

// rowIDs are those of the rows of a body that is a list of messages.
func (r reply) rowIDs() (ids []string, ok bool) {
	all := decode(r.body)
	for _, m := range all {
		if m.Headers.Operation != "" {
			ids = append(ids, m.id())
		}
	}
	return ids, all != nil
}

// once gives one answer first, and another then. Both sides of a test, the gateway
// and the Source itself, begin anew.
type once struct {
	mu   sync.Mutex
	seen map[string]int
}

func (o *once) first(q question) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = make(map[string]int)
	}
	key := q.Get("columns") + q.Get("table") + q.Get("live")
	o.seen[key]++
	return o.seen[key]%2 == 1
}

func write(w http.ResponseWriter, status int, body string, header ...string) bool {
	w.Header().Set("X-Internal", internals)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i+1 < len(header); i += 2 {
		if w.Header().Set(header[i], header[i+1]); header[i+1] == "" {
			w.Header().Del(header[i])
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	return true
}
