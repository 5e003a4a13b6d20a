package blackbox

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// events is a stream that is being read.
type events struct {
	w    *world
	res  *http.Response
	body *bufio.Reader
}

// stream begins one, and comes back with its head.
func (w *world) stream(path, query, credential string) *events {
	w.t.Helper()
	res, err := w.client.Do(w.request(http.MethodGet, with(path, query), credential))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() })
	return &events{w, res, bufio.NewReader(res.Body)}
}

// next gives the next event's message, or io.EOF.
func (e *events) next() (message, error) {
	for {
		line, err := e.body.ReadString('\n')
		if err != nil {
			return message{}, err
		}
		data, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: ")
		if !is {
			if line != "\n" && !strings.HasPrefix(line, ":") {
				e.w.t.Errorf("a line of a stream: %q", line)
			}
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			e.w.t.Fatalf("%q: %v", data, err)
		}
		return m, nil
	}
}

// batch gives the rows' ids up to the next up-to-date, and the place behind it.
func (e *events) batch() (ids []string, place string) {
	e.w.t.Helper()
	for {
		m, err := e.next()
		if err != nil {
			e.w.t.Fatalf("a stream ended behind %v: %v", ids, err)
		}
		switch m.Headers.Control {
		case "":
			ids = append(ids, m.id())
		case "up-to-date":
			return ids, e.place(m.Headers.LSN)
		}
	}
}

func (e *events) place(lsn string) string {
	return url.Values{"handle": {e.res.Header.Get("Electric-Handle")}, "offset": {lsn + "_0"}}.Encode()
}

const sse = "live=true&live_sse=true&"

// A stream gives each message as an event, and goes on behind an up-to-date. Each
// of them carries a place: that of whoever is cut off.
func TestAStreamOfEvents(t *testing.T) {
	w := newWorld(t, settings{hold: time.Hour})
	for feed, path := range w.ours.feeds() {
		at := w.fresh(path, w.ours.key)
		change := func() {
			w.exec(`UPDATE "TaskRun" SET "number" = "number" + 1 WHERE "runtimeEnvironmentId" = $1`, w.ours.env)
			w.exec(`UPDATE task_run_v2 SET "number" = "number" + 1 WHERE "runtimeEnvironmentId" = $1`, w.ours.env)
		}
		change()
		want := len(at.ids(t))
		stream := w.stream(path, sse+at.place(), w.ours.key)
		h := stream.res.Header
		if stream.res.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" || h.Get("Electric-Cursor") == "" ||
			h.Get("Electric-Offset") != at.header.Get("Electric-Offset") || h.Get("Electric-Handle") != at.header.Get("Electric-Handle") {
			t.Errorf("%s: the head is %d %v", feed, stream.res.StatusCode, h)
		}
		if !stream.res.Close || stream.res.ContentLength != -1 || len(stream.res.TransferEncoding) > 0 {
			t.Errorf("%s: the end of the body is not that of the connection: %v %d %v", feed, stream.res.Close, stream.res.ContentLength, stream.res.TransferEncoding)
		}
		var place string
		for range 2 {
			for seen := 0; seen < want; {
				var ids []string
				ids, place = stream.batch()
				if len(ids) == 0 {
					t.Fatalf("%s: nothing, and up to date", feed)
				}
				seen += len(ids)
			}
			if got := w.get(with(path, place), w.ours.key); got.status != 200 || len(got.ids(t)) != 0 {
				t.Errorf("%s: behind everything there is %d %s", feed, got.status, got.body)
			}
			change()
		}
		for seen := 0; seen < want; { // whoever goes on as long polling
			got := w.get(with(path, place+"&live=true"), w.ours.key)
			if got.status != 200 || len(got.ids(t)) == 0 {
				t.Fatalf("%s: with %d rows missing %d %s", feed, want-seen, got.status, got.body)
			}
			seen += len(got.ids(t))
			place = got.place()
		}
		_ = stream.res.Body.Close()
	}
	w.untilTaken(w.ours.env, 0)
}

// Whatever part of a stream was read, its reader goes on from the last up-to-date,
// or from where it began, and has every row.
func TestAStreamThatIsCut(t *testing.T) {
	w := newWorld(t, settings{hold: time.Hour})
	path := "/realtime/v1/runs?tags=a"
	at := w.fresh(path, w.ours.key)
	place := at.place()
	for range 5 {
		w.ours.create(runid.Legacy, runstore.NewRun{Tags: []string{"a"}})
		w.ours.create(runid.V2, runstore.NewRun{Tags: []string{"a"}})
	}
	rows := map[string]bool{}
	for cut := 1; len(rows) < 10; cut++ {
		stream := w.stream(path, sse+place, w.ours.key)
		var pending []string
		for range cut {
			m, err := stream.next()
			if err != nil {
				t.Fatal(err)
			}
			if m.Headers.Control == "up-to-date" {
				for _, id := range pending {
					rows[id] = true
				}
				pending, place = nil, stream.place(m.Headers.LSN)
				break // no more is there
			} else if m.Headers.Control == "" {
				pending = append(pending, m.id())
			}
		}
		_ = stream.res.Body.Close()
		if cut > 100 {
			t.Fatalf("%d rows", len(rows))
		}
	}
}

// What is wrong is an answer of JSON and no stream, and a rotation ends a stream:
// the next request is told.
func TestAStreamIsRotated(t *testing.T) {
	w := newWorld(t, settings{hold: time.Hour})
	path := "/realtime/v1/runs?tags=a"
	at := w.fresh(path, w.ours.key)
	w.ours.create(runid.V2, runstore.NewRun{Tags: []string{"a"}})
	stream := w.stream(path, sse+at.place(), w.ours.key)
	began := time.Now()
	_, place := stream.batch()
	w.exec(`TRUNCATE task_run_v2`)
	if m, err := stream.next(); err != io.EOF {
		t.Errorf("the stream goes on with %+v, %v", m, err)
	}
	if lasted := time.Since(began); lasted < time.Second {
		t.Errorf("the stream lasted %v: clients count those that end within a second", lasted)
	}
	for name, place := range map[string]string{"behind the stream": place, "before it": at.place(), "garbage": "handle=x&offset=1_1"} {
		got := w.get(with(path, sse+place), w.ours.key)
		if got.status != 409 || got.body != mustRefetch || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") || got.header.Get("Electric-Handle") == "" {
			t.Errorf("%s: %d %s %v", name, got.status, got.body, got.header)
		}
	}
}

// A stream of nothing is a held poll: it ends with the hold, up to date.
func TestAQuietStream(t *testing.T) {
	w := newWorld(t, settings{hold: 300 * time.Millisecond})
	for feed, path := range w.ours.feeds() {
		at := w.fresh(path, w.ours.key)
		stream := w.stream(path, "live=true&experimental_live_sse=true&"+at.place(), w.ours.key)
		if ids, place := stream.batch(); len(ids) != 0 || place != at.place() {
			t.Errorf("%s: %v, at %s", feed, ids, place)
		}
		w.feeds.Drain() // it would go on
		if m, err := stream.next(); err != io.EOF {
			t.Errorf("%s: goes on with %+v, %v", feed, m, err)
		}
	}
}
