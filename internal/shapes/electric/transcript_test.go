package electric

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// exchange is one recorded request and its answer; tests/transcripts says where
// they are from.
type exchange struct {
	Kind     string
	ID       string
	Request  recordedRequest
	Response recordedResponse
}

type recordedRequest struct {
	Method  string
	Target  string
	Headers [][2]string
}

type recordedResponse struct {
	Status  int
	Reason  string
	Headers [][2]string
	Body    string
	Raw     []byte   `json:"body_base64"` // a body that is no text
	Chunks  [][2]any // milliseconds, text
	Error   string
}

func (r recordedResponse) header(name string) string {
	for _, h := range r.Headers {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// scenarios lists all recordings, as "01-tag-feed" or "1.2.4/01-tag-feed".
func scenarios(t *testing.T) []string {
	t.Helper()
	const root = "../../../tests/transcripts/"
	var all []string
	for _, pattern := range []string{"*.json", "1.2.4/*.json"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(file, root), ".json"))
		}
	}
	return all
}

// recorded gives the exchanges of a scenario in the order in which they began.
func recorded(t *testing.T, scenario string) []exchange {
	t.Helper()
	data, err := os.ReadFile("../../../tests/transcripts/" + scenario + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Steps []exchange }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatalf("%s: %v", scenario, err)
	}
	var all []exchange
	for _, step := range file.Steps {
		if step.Kind == "http" {
			if step.Response.Body == "" {
				step.Response.Body = string(step.Response.Raw)
			}
			all = append(all, step)
		}
	}
	return all
}

// find gives one exchange of a scenario.
func find(t *testing.T, scenario, id string) exchange {
	t.Helper()
	for _, x := range recorded(t, scenario) {
		if x.ID == id {
			return x
		}
	}
	t.Fatalf("%s has no exchange %s", scenario, id)
	return exchange{}
}

// question is what the client is asked for so that it makes a recorded request.
type question struct {
	def    *shapes.Definition
	same   bool // def is what was recorded, and not a stand-in
	pos    shapes.Position
	live   bool
	secret string
}

// The reasons why a recorded request is not one that this client makes.
const (
	otherMethod  = "the client only sends GET"
	otherPath    = "the client asks for /v1/shape and /v1/health, spelled exactly so"
	extraHeaders = "the client sends no headers of its own"
	otherParam   = "the client knows no such parameter, or never gives it twice"
	otherLog     = "the client always asks for log=full"
	otherOffset  = "the client sends the offsets that shapes.Offset.String writes, and never now"
	otherLive    = "the client sends live=true or no live, and waits nowhere before a snapshot"
	otherHandle  = "the client sends a handle with every offset but -1, and with -1 none"
	otherSecret  = "the client sends its secret or none, never an empty one"
	cutByClient  = "the recorder hung up itself"
)

// asked says what to ask the client for, or why it never sends x.
func (x exchange) asked() (q question, why string) {
	if x.Request.Method != http.MethodGet {
		return q, otherMethod
	}
	path, raw, _ := strings.Cut(x.Request.Target, "?")
	if path != "/v1/shape" {
		return q, otherPath
	}
	if len(x.Request.Headers) > 0 {
		return q, extraHeaders
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return q, otherParam
	}
	for name, values := range query {
		switch name {
		case "table", "columns", "where", "log", "offset", "handle", "live", "secret":
		case "cursor": // for caches: no answer depends on it
		default:
			if !strings.HasPrefix(name, "params[") {
				return q, otherParam
			}
		}
		if len(values) > 1 {
			return q, otherParam
		}
	}
	if query.Has("log") && query.Get("log") != "full" { // full is the default
		return q, otherLog
	}
	q.pos.Offset, err = shapes.ParseOffset(query.Get("offset"))
	if err != nil || q.pos.Offset.Kind == shapes.Now || q.pos.Offset.String() != query.Get("offset") {
		return q, otherOffset
	}
	fresh := q.pos.Offset.Kind == shapes.BeforeAll
	q.live, q.pos.Handle, q.secret = query.Has("live"), query.Get("handle"), query.Get("secret")
	if q.live && (query.Get("live") != "true" || fresh) {
		return q, otherLive
	}
	if fresh == query.Has("handle") || fresh == (q.pos.Handle != "") {
		return q, otherHandle
	}
	if query.Has("secret") && q.secret == "" {
		return q, otherSecret
	}
	q.def, q.same = definition(query)
	return q, ""
}

// wire is the answer as it stood on the socket. Where the recording has the
// body's chunks they are sent as they were; elsewhere the body is cut every
// size bytes.
func (r recordedResponse) wire(size int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, r.Reason)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	if r.header("transfer-encoding") != "chunked" {
		b.WriteString(r.Body)
		return []byte(b.String())
	}
	chunk := func(text string) { fmt.Fprintf(&b, "%x\r\n%s\r\n", len(text), text) }
	for _, c := range r.Chunks {
		chunk(c[1].(string))
	}
	for rest := r.Body; len(r.Chunks) == 0 && rest != ""; {
		n := min(size, len(rest))
		chunk(rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n\r\n")
	return []byte(b.String())
}
