package blackbox

import (
	"io"
	"strings"
	"testing"
	"time"
)

// dawdling is longer than a busy machine needs to send a request, and short
// enough to wait for.
const dawdling = 2 * time.Second

// drip sends text byte by byte, a few milliseconds apart and over again, until
// the connection is closed or the test ends.
func (c *wire) drip(text string) {
	if text == "" {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
			case <-c.t.Context().Done():
				return
			}
			if _, err := io.WriteString(c.conn, text[i%len(text):][:1]); err != nil {
				return
			}
		}
	}()
	c.t.Cleanup(func() { <-ended })
}

// untilClosed wants the server to end the connection, after what it may have
// answered.
func (c *wire) untilClosed(name string) string {
	c.t.Helper()
	got, err := io.ReadAll(c.in)
	if err != nil && !closed(err) {
		c.t.Errorf("%s: the connection is not closed: %v", name, err)
	}
	return string(got)
}

// Prevents slow loris: a client that sends a byte now and then, in the head of
// its first request or of a later one, or nothing at all, loses its connection
// when the time for headers is over, whatever it sends.
func TestSlowHeaders(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // and empty settings
	w := newWorld(t, settings{headerTimeout: dawdling, idleTimeout: dawdling})
	slow := map[string]*wire{}
	for name, c := range map[string]struct{ first, drip string }{
		"nothing":             {"", ""},
		"empty lines":         {"", "\r\n"},
		"a method":            {"", "G"},
		"a path":              {"GET /", "x"},
		"a header":            {"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", "x"},
		"many headers":        {"GET /healthz HTTP/1.1\r\nHost: x\r\n", "X-Y: z\r\n"},
		"half of HTTP/2":      {preface[:20], ""},
		"HTTP/2, then idle":   {preface, ""},
		"HTTP/2, half a head": {preface + "\x00\x00\x40\x00\x01\x00\x00\x00\x00\x01", "\x00"},
		"HTTP/2, unknown":     {preface, "\x00\x00\x00\x20\x00\x00\x00\x00\x00"},
	} {
		slow[name] = w.wire()
		slow[name].send(c.first)
		slow[name].drip(c.drip)
		if strings.HasPrefix(name, "HTTP/2") {
			continue
		}
		again := w.wire()
		slow["again, "+name] = again
		again.send(get("/healthz", ""))
		again.must("GET")
		again.send(c.first)
		again.drip(c.drip)
	}
	for name, c := range slow {
		c.untilClosed(name)
	}
}

// Prevents that a client keeps a connection, or a slot, for ever by announcing a
// body that it sends slowly or not at all: the answer does not wait for it, and
// the connection ends soon after.
func TestSlowBodies(t *testing.T) {
	w := newWorld(t, settings{headerTimeout: dawdling, hold: 50 * time.Millisecond})
	at := w.fresh("/realtime/v1/runs?tags=a", w.ours.key)
	slow := map[string]*wire{}
	for name, c := range map[string]struct {
		line, key string
		status    int
	}{
		"of nobody":       {"GET " + feedPath, "tr_prod_nobody", 401},
		"of a feed":       {"GET " + feedPath, w.ours.key, 200},
		"of a held poll":  {"GET /realtime/v1/runs?tags=a&" + at.place("live", "true"), w.ours.key, 200},
		"of a wrong path": {"GET /nothing", w.ours.key, 404},
		"of a POST":       {"POST " + feedPath, w.ours.key, 405},
		"of a probe":      {"PUT /healthz", w.ours.key, 405},
	} {
		for head, drip := range map[string]string{
			"Content-Length: 100000":                            "x",
			"Content-Length: 5":                                 "",
			"Content-Length: 10000000":                          "x",
			"Transfer-Encoding: chunked":                        "1\r\nx\r\n",
			"Transfer-Encoding: chunked\r\nX: ":                 "0",
			"Content-Length: 100000\r\nExpect: 100-continue":    "x",
			"Transfer-Encoding: chunked\r\nTrailer: X-Y\r\nX: ": "",
		} {
			conn := w.wire()
			conn.send(c.line + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + c.key + "\r\n" + head + "\r\n\r\n")
			conn.drip(drip)
			if got := conn.must("GET"); got.status != c.status || got.header.Get("Connection") != "close" {
				t.Errorf("%s, %q: %d %v", name, head, got.status, got.header)
			}
			slow[name+" "+head] = conn
		}
	}
	w.until("slots", func() bool { return w.slots.Taken(w.ours.env) == 0 })
	for name, c := range slow {
		if more := c.untilClosed(name); more != "" {
			t.Errorf("%s: answered again: %.100s", name, more)
		}
	}
}

// Prevents that connections which do nothing, by the hundred, keep out those who
// ask: they wait for nobody and nobody waits for them.
func TestManyIdleConnections(t *testing.T) {
	w := newWorld(t, settings{headerTimeout: time.Hour, idleTimeout: time.Hour})
	at := w.fresh("/realtime/v1/runs?tags=a", w.ours.key)
	for i := range 400 {
		c := w.wire()
		switch i % 4 {
		case 0: // says nothing
		case 1:
			c.send("GET " + feedPath + " HTTP/1.1\r\nHost: x\r\nX: ")
		case 2:
			c.send(get("/healthz", ""))
			c.must("GET")
		case 3:
			c.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		}
	}
	p := w.poll(with("/realtime/v1/runs?tags=a", at.place("live", "true")), w.ours.key)
	w.untilTaken(w.ours.env, 1)
	run := w.ours.create(tables[0], newRun("a"))
	if got := w.answered(p); got.status != 200 || strings.Join(got.ids(t), " ") != run.ID {
		t.Errorf("%d %s", got.status, got.body)
	}
	for feed, path := range w.ours.feeds() {
		if got := w.fresh(path, w.ours.key); len(got.ids(t)) == 0 {
			t.Errorf("%s: nothing", feed)
		}
	}
}
