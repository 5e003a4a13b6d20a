package blackbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// absurd is an answer that no Electric gives.
type absurd struct {
	answer func(w http.ResponseWriter, q question)
	live   bool   // to a held poll, too
	status int    // that the client gets; 200: of a body that breaks off
	log    string // what the line says, as a regular expression
	most   uint64 // MiB that all of it may allocate, garbage included
}

// pour writes first, and then unit for ever.
func pour(w io.Writer, first, unit string) {
	large := bytes.Repeat([]byte(unit), 1+(256<<10)/len(unit))
	_, err := io.WriteString(w, first)
	for err == nil {
		_, err = w.Write(large)
	}
}

func absurdities() map[string]absurd {
	head := func(w http.ResponseWriter, q question) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Electric-Schema", q.schema)
		h.Set("Electric-Handle", q.Get("handle"))
		h.Set("Electric-Offset", q.next(0))
	}
	poured := func(first, unit string) func(http.ResponseWriter, question) {
		return func(w http.ResponseWriter, q question) {
			head(w, q)
			pour(w, strings.ReplaceAll(first, "ROW", q.row(0)), unit)
		}
	}
	row := `,{"key":"internal","value":{"id":"` + strings.Repeat("internal", 8<<10) + `"},"headers":{"operation":"insert"}}`
	wired := func(header string) func(http.ResponseWriter, question) {
		return func(w http.ResponseWriter, q question) {
			upstream.Wire(w, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nElectric-Schema: "+q.schema+"\r\nElectric-Offset: "+q.next(0)+"\r\n"+header+
				"\r\nContent-Length: 2\r\n\r\n[]"), false)
		}
	}
	const row16 = `[{"key":"k","value":{"id":"`
	return map[string]absurd{
		"endless rows": {poured("[ROW", row), false, 200, "does not end", 64},
		"endless rows, live": {func(w http.ResponseWriter, q question) {
			if !q.live() {
				_, _ = io.WriteString(w, "no")
				return
			}
			poured("[ROW", row)(w, q)
		}, true, 503, "larger than", 128},
		"a gigabyte, live": {func(w http.ResponseWriter, q question) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<30))
			poured("[ROW", row)(w, q)
		}, true, 503, "", 128},
		"a message without end":             {poured(row16, "internal"), false, 503, "larger than", 256},
		"white space":                       {poured("", " \n"), false, 503, "", 128},
		"nested":                            {poured("[", `{"a":[`), false, 503, "nested deeper", 128},
		"a header of a megabyte":            {wired("X-Large: " + strings.Repeat("internal", 128<<10)), true, 503, "headers exceeded", 32},
		"a handle of 100 KB":                {wired("Electric-Handle: " + strings.Repeat("17-23", 20<<10)), true, 503, "headers exceeded", 32},
		"a handle of 10 KB":                 {wired("Electric-Handle: " + strings.Repeat("17-23", 2<<10)), true, 503, "electric-handle", 32},
		"a handle with controls":            {wired("Electric-Handle: 17\x0123"), true, 503, "", 32},
		"a handle with a line":              {wired("Electric-Handle: 17\n 23"), true, 503, "", 32},
		"a megabyte of headers of one byte": {wired(strings.Repeat("A:\r\n", 256<<10) + "B: "), true, 503, "", 64},
		"another schema": {func(w http.ResponseWriter, q question) {
			head(w, q)
			w.Header().Set("Electric-Schema", strings.Replace(q.schema, `"type":"text"`, `"type":"json"`, 1))
			_, _ = io.WriteString(w, "["+q.row(0)+","+upToDateMessage+"]")
		}, false, 500, "two run tables", 32},
	}
}

// Prevents that an upstream, or whatever answers in its place, takes the gateway's
// memory or time, is believed, or writes into its log: each of these is given up
// after a bounded number of bytes, with one line that names the side, and the client's
// place stays good.
func TestAnUpstreamThatIsAbsurd(t *testing.T) {
	var front *upstream.Front
	w := newWorld(t, settings{linger: -1, impatient: true, maxBody: 16 << 20, around: func(next http.RoundTripper) http.RoundTripper {
		front = upstream.New(t, next, "http://upstream.internal")
		return front.Transport()
	}})
	const path = "/realtime/v1/runs?tags=a"
	var schema string
	front.Edit(func(a *upstream.Answer) {
		if a.Request.URL.Query().Get("table") == shapes.LegacyTable.String() {
			schema = a.Header.Get("Electric-Schema")
		}
	})
	at := w.fresh(path, w.ours.key)
	front.Edit(nil)
	for name, c := range absurdities() {
		for _, query := range []string{at.place(), at.place("live", "true")} {
			live := strings.Contains(query, "live=true")
			if live && !c.live || !live && strings.HasSuffix(name, ", live") {
				continue
			}
			front.Instead(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("table") != shapes.LegacyTable.String() {
					return false
				}
				c.answer(w, question{r.URL.Query(), schema})
				return true
			})
			before, allocated, began := len(w.log.String()), totalAlloc(), time.Now()
			status, err := w.readOff(w.request("GET", with(path, query), w.ours.key))
			used := (totalAlloc() - allocated) >> 20
			front.Instead(nil)
			var log string
			w.until("the end in the log", func() bool {
				log = w.log.String()[before:]
				return strings.Contains(log, `"message":"request"`)
			})
			t.Logf("%s, live %v: %d, %d MiB allocated in all, %s", name, live, status, used, time.Since(began).Round(time.Millisecond))
			if status != c.status || (err != nil) != (status == 200) {
				t.Errorf("%s, live %v: %d, %v", name, live, status, err)
			}
			if used > c.most {
				t.Errorf("%s, live %v: %d MiB were allocated", name, live, used)
			}
			side := strings.ReplaceAll(shapes.LegacyTable.Side(), `"`, `\"`)
			if status == 500 {
				side = "column"
			}
			if strings.Count(log, `"level":"error"`) != 1 || !strings.Contains(log, side) || !regexp.MustCompile(c.log).MatchString(log) || strings.Contains(log, "internal") {
				t.Errorf("%s, live %v: the log says %.1000s", name, live, log)
			}
			if again := w.get(with(path, at.place()), w.ours.key); again.status != 200 {
				t.Errorf("%s, live %v: then %d %s", name, live, again.status, again.body)
			}
		}
	}
}

func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// readOff reads an answer to its end and keeps nothing. The error is that of a body
// that broke off.
func (w *world) readOff(r *http.Request) (int, error) {
	w.t.Helper()
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}
