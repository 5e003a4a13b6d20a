package electric

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// met says what is in each recording: answers with rows and with none, 409s
// that name the next shape ("renamed") and that do not ("rotated"), and so on.
// "left" are exchanges that this client cannot have; the test prints why.
var met = map[string]string{
	"01-tag-feed":              "19 rows, 4 none, 2 left",
	"02-two-tables":            "9 rows, 4 none",
	"03-batch-feed":            "5 rows, 4 none",
	"04-single-run":            "12 rows, 6 none",
	"05-literal-where":         "20 rows, 3 none, 2 refused",
	"06-empty-shape":           "1 rows, 5 none",
	"07-snapshot-chunks":       "12 rows, 3 none",
	"08-log-chunks":            "23 rows, 2 none",
	"09-rotation-409":          "12 rows, 10 none, 14 renamed, 4 rotated, 1 refused, 12 left",
	"10-errors-400":            "7 rows, 7 none, 40 refused, 2 out of bounds, 1 unavailable, 35 left",
	"11-sse":                   "10 none, 1 renamed, 15 left",
	"12-modes-and-subsets":     "3 rows, 55 left",
	"13-unavailable":           "4 rows, 10 none, 1 renamed, 14 unavailable, 2 healthy, 5 unhealthy, 4 left",
	"14-http-surface":          "2 rows, 1 none, 1 healthy, 46 left",
	"15-connections":           "2 rows, 4 none, 46 healthy, 1 unhealthy, 9 left",
	"16-types":                 "8 rows, 3 none",
	"17-restart":               "7 rows, 7 none, 2 renamed, 1 unavailable, 3 left",
	"18-secret":                "1 rows, 1 none, 5 unavailable, 1 healthy, 41 left",
	"19-drain":                 "2 rows, 6 none, 1 unavailable, 1 left",
	"20-early-chunk":           "4 rows, 5 none",
	"1.2.4/01-tag-feed":        "18 rows, 5 none, 2 left",
	"1.2.4/02-two-tables":      "9 rows, 4 none",
	"1.2.4/04-single-run":      "12 rows, 6 none",
	"1.2.4/06-empty-shape":     "1 rows, 5 none",
	"1.2.4/07-snapshot-chunks": "12 rows, 3 none",
	"1.2.4/08-log-chunks":      "22 rows, 2 none",
	"1.2.4/09-rotation-409":    "12 rows, 9 none, 14 renamed, 5 rotated, 1 refused, 12 left",
	"1.2.4/11-sse":             "10 none, 1 renamed, 15 left",
	"1.2.4/17-restart":         "7 rows, 6 none, 2 renamed, 2 unavailable, 3 left",
	"1.2.4/18-secret":          "1 rows, 1 none, 5 unavailable, 1 healthy, 45 left",
	"1.2.4/21-restart-offsets": "16 rows, 16 none, 8 out of bounds",
	"1.2.4/22-log-mode-shared": "2 rows, 4 none, 5 left",
}

// TestReplay answers the client with the bytes that Electric sent, and compares
// what it makes of them with what a JSON parser finds.
func TestReplay(t *testing.T) {
	reasons := map[string][]string{}
	if n := len(scenarios(t)); n != len(met) {
		t.Errorf("%d recordings, and %d accounted for", n, len(met))
	}
	for _, name := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 7} { // bytes of a chunk of HTTP, where not recorded
				p := &replay{t: t, server: newScripted(t), transport: NewTransport(), counts: map[string]int{}, size: size}
				for _, x := range recorded(t, name) {
					if why := p.exchange(x); why != "" && size > 7 {
						reasons[why] = append(reasons[why], name+" "+x.ID)
					}
				}
				p.transport.CloseIdleConnections()
				p.server.close()
				if got := summary(p.counts); got != met[name] {
					t.Errorf("met %q: %q,\nwant %q", name, got, met[name])
				}
			}
		})
	}
	for why, which := range reasons {
		t.Logf("%d left out: %s: %s", len(which), why, strings.Join(which, ", "))
	}
}

// replay is one pass over a scenario.
type replay struct {
	t         *testing.T
	server    *scripted
	transport *Transport
	counts    map[string]int
	size      int
}

// exchange replays x, or says why it cannot.
func (p *replay) exchange(x exchange) (why string) {
	p.t.Helper()
	if x.Request.Method == http.MethodGet && x.Request.Target == "/v1/health" && len(x.Request.Headers) == 0 {
		p.health(x)
		return ""
	}
	q, why := x.asked()
	if why != "" {
		p.counts["left"]++
		return why
	}
	want := reference(p.t, x, q)
	p.counts[want.word()]++
	client := p.script(x, q.secret)
	if want.kind == "out of bounds" {
		// The client asks again if Electric is active, and is told the same.
		p.server.script <- reply{wire: active}
		p.script(x, "")
		want = meant{kind: "rotated"}
	}
	got, err := ask(p.t, client, q)
	if err != nil {
		p.discreet(x, q, err)
	}
	if !reflect.DeepEqual(got, want) {
		p.t.Errorf("%s: got\n%+v, %v\nwant\n%+v", x.ID, got, err, want)
	}
	p.requests(x, q)
	return ""
}

var active = []byte("HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n" + `{"status":"active"}`)

// script prepares the server for x and gives a client to ask it. A connection
// that was refused or cut is one of its own, as it was when recorded: on a kept
// one net/http would try again.
func (p *replay) script(x exchange, secret string) *Client {
	switch x.Response.Error {
	case "":
		unbounded := x.Response.header("content-length")+x.Response.header("transfer-encoding") == ""
		p.server.script <- reply{wire: x.Response.wire(p.size), hangUp: unbounded}
	case "connection closed by the server before a response":
		p.transport.CloseIdleConnections()
		p.server.script <- reply{hangUp: true}
	case "connection reset by peer":
		p.server.script <- reply{wire: x.Response.wire(p.size), hangUp: true, reset: true}
	case "connection refused":
		refusing := newScripted(p.t)
		refusing.close()
		return refusing.clientOver(p.t, p.transport, secret)
	default:
		p.t.Fatalf("%s: how to replay %q?", x.ID, x.Response.Error)
	}
	return p.server.clientOver(p.t, p.transport, secret)
}

func (p *replay) health(x exchange) {
	want := x.Response.Status == http.StatusOK
	p.counts[map[bool]string{true: "healthy", false: "unhealthy"}[want]]++
	got, err := p.script(x, "").Healthy(p.t.Context())
	if got != want || (err != nil) != (x.Response.Error != "") {
		p.t.Errorf("%s: healthy is %v, %v", x.ID, got, err)
	}
	p.drain()
}

// ask puts q to the client and reads what comes to its end.
func ask(t *testing.T, client *Client, q question) (meant, error) {
	t.Helper()
	if q.live {
		news, err := client.Wait(t.Context(), q.def, q.pos)
		if err != nil {
			return verdict(err), err
		}
		return answer(news.Next, "", &news.Batch), nil
	}
	page, err := client.Read(t.Context(), q.def, q.pos)
	if err != nil {
		return verdict(err), err
	}
	defer page.Close()
	var all shapes.Batch
	if _, err := all.Fill(page.Messages, 1<<30); err != nil {
		return meant{kind: "broken off"}, err
	}
	return answer(page.Next, page.Schema, &all), nil
}

func answer(next shapes.Position, schema string, b *shapes.Batch) meant {
	return meant{
		kind: "rows", rows: string(b.Rows), count: b.Count, next: next.Handle + " " + next.Offset.String(), schema: schema,
		upToDate: b.UpToDate, lsn: fmt.Sprint(b.LSN), ended: b.SnapshotEnded, xmin: fmt.Sprint(b.Xmin),
	}
}

func verdict(err error) meant {
	var rotated *shapes.Rotated
	var refused *shapes.Refused
	var unavailable *shapes.Unavailable
	switch {
	case errors.As(err, &rotated):
		return meant{kind: "rotated", handle: rotated.Handle}
	case errors.As(err, &refused):
		return meant{kind: "refused", status: refused.Status}
	case errors.As(err, &unavailable):
		return meant{kind: "unavailable", retryAfter: unavailable.RetryAfter}
	default:
		return meant{kind: err.Error()}
	}
}

// discreet checks that an error gives away no secret, no value that was bound,
// and nothing of the body of a fault: those can name hosts.
func (p *replay) discreet(x exchange, q question, err error) {
	p.t.Helper()
	kept := []string{q.secret}
	recorded, _ := p.recordedQuery(x)
	for name, value := range recorded {
		if strings.HasPrefix(name, "params[") && q.same {
			kept = append(kept, value[0])
		}
	}
	if x.Response.Status == http.StatusServiceUnavailable {
		kept = append(kept, x.Response.Body)
	}
	for _, secret := range kept {
		if len(secret) > 2 && strings.Contains(err.Error(), secret) {
			p.t.Errorf("%s: the error gives away %q: %v", x.ID, secret, err)
		}
	}
}

// requests checks what the client sent: what was recorded, but for the caches'
// cursor; where the definition is a stand-in, the rest of it.
func (p *replay) requests(x exchange, q question) {
	p.t.Helper()
	for _, request := range p.drain() {
		if request.URL.Path == "/v1/health" {
			continue
		}
		request.Header.Del("User-Agent") // net/http's
		if request.Method != http.MethodGet || request.URL.Path != "/v1/shape" || len(request.Header) > 0 {
			p.t.Errorf("%s: asked %s %s with %v", x.ID, request.Method, request.URL.Path, request.Header)
		}
		want, err := p.recordedQuery(x)
		if err != nil {
			p.t.Fatal(err)
		}
		got, wanted := spelled(request.URL.Query()), spelled(want)
		if !q.same {
			for _, name := range []string{"table", "columns", "where", "params"} {
				delete(got, name)
				delete(wanted, name)
			}
		}
		if !maps.Equal(got, wanted) {
			p.t.Errorf("%s: asked\n%v\nrecorded\n%v", x.ID, got, wanted)
		}
	}
}

func (p *replay) recordedQuery(x exchange) (url.Values, error) {
	_, raw, _ := strings.Cut(x.Request.Target, "?")
	return url.ParseQuery(raw)
}

// drain gives the requests that have come so far.
func (p *replay) drain() []*http.Request {
	var all []*http.Request
	for {
		select {
		case r := <-p.server.asked:
			all = append(all, r)
		default:
			return all
		}
	}
}
