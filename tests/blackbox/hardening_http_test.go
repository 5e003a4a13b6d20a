package blackbox

import (
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Prevents that one client's answer is given to the next request of a shared
// connection: what is sent at once is answered one after the other, in order.
func pipelining(w *world) {
	at := w.fresh("/realtime/v1/runs?tags=a", w.ours.key)
	run := w.ours.run(w.ours.v2)
	steps := []struct {
		request string
		status  int
		has     string
	}{
		{get(run+"?offset=-1", w.ours.key), 200, w.ours.v2.ID},
		{get(run+"?offset=-1", ""), 401, "Missing API key"},
		{get("/realtime/v1/runs?offset=-1", w.theirs.key), 200, w.theirs.canary},
		{get(run+"?offset=-1", w.theirs.key), 404, "Not found"},
		{get("/healthz", ""), 200, "ok"},
		{"POST /realtime/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Method not allowed"},
		{get("/realtime/v1/runs?tags=a&"+at.place(), w.ours.key), 200, "up-to-date"},
		{get("/realtime/v1/runs?tags=a&offset=1_0&handle=x", w.ours.key), 409, "must-refetch"},
		{get("/realtime/v1/runs?offset=-1", w.ours.key), 200, w.ours.canary},
		{get("/nothing", w.ours.key), 404, "Not found"},
	}
	var all strings.Builder
	for range 5 {
		for _, s := range steps {
			all.WriteString(s.request)
		}
	}
	c := w.wire()
	go c.send(all.String())
	for i := range 5 * len(steps) {
		s, got := steps[i%len(steps)], c.must("GET")
		if got.status != s.status || !strings.Contains(got.body, s.has) || s.has != w.theirs.canary && strings.Contains(got.body, w.theirs.canary) {
			w.t.Fatalf("answer %d is %d %.200s, want %d with %s", i, got.status, got.body, s.status, s.has)
		}
	}
}

// Prevents that an old client waits for the end of a body that it cannot see:
// HTTP/1.0 knows no chunks.
func oldHTTP(w *world) {
	streamed := newWorld(w.t, settings{pageBytes: 1, chunkBytes: 4 << 10})
	for range 5 {
		streamed.ours.create(tables[0], newRun("a"))
	}
	for name, c := range map[string]struct {
		on     *world
		header string
		sized  bool // the answer has a length
		kept   bool // the connection is kept
	}{
		"whole":              {w, "", true, false},
		"whole, kept":        {w, "Connection: keep-alive\r\n", true, true},
		"streamed":           {streamed, "", false, false},
		"streamed, kept":     {streamed, "Connection: keep-alive\r\n", false, false},
		"chunks wanted":      {streamed, "TE: chunked\r\nConnection: keep-alive, TE\r\n", false, false},
		"chunks in the body": {w, "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", true, true},
	} {
		conn := c.on.wire()
		conn.send("GET " + feedPath + " HTTP/1.0\r\n" + c.header + "Authorization: Bearer " + c.on.ours.key + "\r\n\r\n")
		got := conn.must("GET")
		if got.status != 200 || got.header.Get("Transfer-Encoding") != "" || (got.header.Get("Content-Length") != "") != c.sized || decode(got.body) == nil {
			w.t.Errorf("%s: %d %v %.100q", name, got.status, got.header, got.body)
		}
		if !c.kept {
			if _, err := conn.in.ReadByte(); err != io.EOF {
				w.t.Errorf("%s: the connection is not closed: %v", name, err)
			}
			continue
		}
		conn.send("GET /healthz HTTP/1.0\r\n\r\n")
		if got := conn.must("GET"); got.body != `{"status":"ok"}` {
			w.t.Errorf("%s: the next answer is %d %s", name, got.status, got.body)
		}
	}
	// A chunked body in HTTP/1.0 has no end that all agree on.
	c := w.wire()
	c.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get(feedPath, w.ours.key) + nonsense)
	for i, got := range c.rest() {
		if i > 1 || i == 1 && got.status != 400 {
			w.t.Errorf("behind a chunked body in HTTP/1.0: %d %.100s", got.status, got.body)
		}
	}
}

// Prevents that a request without one host, or with two, is taken for another
// by a cache or a router in front.
func hosts(w *world) {
	for head, want := range map[string]int{
		"Host: x\r\n": 200, "Host: \r\n": 200, "host: x:3030\r\n": 200, "": 400, "Host: x\r\nHost: x\r\n": 400, "Host: x\r\nHost: y\r\n": 400, "Host: x y\r\n": 400, "Host: x\x00\r\n": 400, "Host : x\r\n": 400, "Host: x/y\r\n": 400,
		"X-Host: x\r\n": 400, "Host: x\r\n Host: y\r\n": 400,
	} {
		c := w.wire()
		c.send("GET /healthz HTTP/1.1\r\n" + head + "\r\n" + get(feedPath, w.ours.key))
		if got := c.must("GET"); got.status != want {
			w.t.Errorf("%q: %d, want %d", head, got.status, want)
		}
		if want == 400 && len(c.rest()) > 0 {
			w.t.Errorf("%q: the connection goes on", head)
		}
	}
}

// Prevents that what is refused over HTTP/1.1 passes over HTTP/2, with prior
// knowledge or asked to upgrade.
func sameAnswersOverHTTP2(w *world) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	over2 := w.in(w.t)
	over2.client = &http.Client{Transport: transport}
	at := w.fresh("/realtime/v1/runs?tags=a", w.ours.key)
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW", "get"} {
		for _, target := range []string{
			"/realtime/v1/runs?offset=-1", "/realtime/v1/runs?tags=a&" + at.place(), "/realtime/v1/runs?offset=1_0&handle=x", "/realtime/v1/runs?offset=-1&offset=-1", "/realtime/v1/runs?offset=-1;x", "/realtime/v1/runs",
			w.ours.run(w.ours.legacy) + "?offset=-1", w.ours.run(w.theirs.legacy) + "?offset=-1", "/realtime/v1/runs/x?offset=-1", "//realtime/v1/runs?offset=-1", "/realtime/v1/run%73?offset=-1", "/healthz", "/nothing",
		} {
			for _, credential := range []string{w.ours.key, w.theirs.key, w.ours.token("read:nothing"), "tr_prod_nobody", ""} {
				one, two := w.do(w.request(method, target, credential)), over2.do(over2.request(method, target, credential))
				upgraded := w.raw(method, target, credential, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
				for _, r := range []reply{one, two, upgraded} { // that of a 409 is another each time
					for _, name := range []string{"Date", "X-Request-Id", "Connection"} {
						r.header.Del(name)
					}
					if r.status == 409 {
						maps.DeleteFunc(r.header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Electric-") })
					}
				}
				for how, other := range map[string]reply{"over HTTP/2": two, "with an upgrade": upgraded} {
					if diff := cmp.Diff(one.header, other.header); diff != "" || !same(one, other) {
						w.t.Errorf("%s %s %s is %d %.200s, not %d %.200s (-1.1 +):\n%s", method, target, how, other.status, other.body, one.status, one.body, diff)
					}
				}
			}
		}
	}
}

// Prevents that the headers of a request fill the memory: a megabyte of them,
// large or many, is refused before it is read.
func aMegabyteOfHeaders(w *world) {
	for name, headers := range map[string]string{
		"one":                strings.Repeat("x", 1<<20),
		"many":               strings.Repeat("x\r\nX-Y: ", 1<<17),
		"many without value": strings.Repeat("\r\nX:", 1<<18),
		"folded":             strings.Repeat("\r\n x", 1<<18),
		"a line of blanks":   strings.Repeat(" ", 1<<20),
	} {
		c := w.wire()
		go c.send("GET " + feedPath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + w.ours.key + "\r\nX: " + headers + "\r\n\r\n")
		if got := c.must("GET"); got.status != 431 || got.header.Get("Connection") != "close" {
			w.t.Errorf("%s: %d %v", name, got.status, got.header)
		}
		_ = c.conn.Close()
	}
	c := w.wire() // and so is a request line
	go c.send("GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := c.must("GET"); got.status != 431 {
		w.t.Errorf("a path of a megabyte: %d", got.status)
	}
	_ = c.conn.Close()
}
