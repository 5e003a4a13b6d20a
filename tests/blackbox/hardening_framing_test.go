package blackbox

import (
	"fmt"
	"strings"
)

// get is the text of a request for a path on a kept connection.
func get(target, credential string, header ...string) string {
	text := "GET " + target + " HTTP/1.1\r\nHost: x\r\n"
	if credential != "" {
		text += "Authorization: Bearer " + credential + "\r\n"
	}
	for _, h := range header {
		text += h + "\r\n"
	}
	return text + "\r\n"
}

const feedPath = "/realtime/v1/runs?offset=-1"

// nonsense is no request: a server that reads as far as this ends the connection,
// and the test need not wait for it to give up.
const nonsense = "\x00\r\n\r\n"

// Prevents that the body of a request is read as the next request: one that
// brings a body is answered without it, and is the last of its connection.
func bodiesAreNotRequests(w *world) {
	smuggled := get(feedPath, w.ours.key)
	for name, c := range map[string]struct{ head, body string }{
		"with a length":                 {fmt.Sprintf("Content-Length: %d", len(smuggled)), smuggled},
		"with a length, twice the same": {fmt.Sprintf("Content-Length: %d\r\nContent-Length: %[1]d", len(smuggled)), smuggled},
		"too short a length":            {"Content-Length: 1", "x"},
		"chunked":                       {"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)},
		"chunked, with trailers":        {"Transfer-Encoding: chunked\r\nTrailer: Authorization", "0\r\nAuthorization: Bearer " + w.ours.key + "\r\n\r\n"},
		"chunked, empty":                {"Transfer-Encoding: chunked", "0\r\n\r\n"},
		"a chunk that never ends":       {"Transfer-Encoding: chunked", "fffffff\r\n" + strings.Repeat(smuggled, 3000)},
		"a chunk of nonsense":           {"Transfer-Encoding: chunked", "zz\r\n" + smuggled},
		"larger than is ever drained":   {"Content-Length: 1000000", strings.Repeat(smuggled, 1000)},
		"announced with Expect":         {"Expect: 100-continue\r\nContent-Length: 5", ""},
	} {
		for method, want := range map[string]int{"GET": 401, "POST": 405, "DELETE": 405, "BREW": 405} {
			conn := w.wire()
			go conn.send(method + " " + feedPath + " HTTP/1.1\r\nHost: x\r\n" + c.head + "\r\n\r\n" + c.body + smuggled + nonsense)
			got := conn.rest()
			if len(got) != 1 || got[0].status != want || got[0].header.Get("Connection") != "close" {
				w.t.Errorf("%s %s: %d answers, want one %d and a closed connection: %+v", method, name, len(got), want, got)
			}
		}
	}
	// Who says that there is none brings none, and the connection is kept.
	c := w.wire()
	c.send(get(feedPath, w.ours.key, "Content-Length: 0") + get("/healthz", ""))
	if first, second := c.must("GET"), c.must("GET"); first.status != 200 || second.body != `{"status":"ok"}` {
		w.t.Errorf("a length of 0: %d, then %d %s", first.status, second.status, second.body)
	}
}

// Prevents request smuggling: where two readers could differ on where a request
// ends, it is refused, or it is answered and nothing behind it is read.
func smuggledLengths(w *world) {
	smuggled := get(feedPath, w.ours.key)
	n := len(smuggled)
	for name, head := range map[string]string{
		"length and chunked":         fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked", n+5),
		"chunked and length":         fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d", n+5),
		"two lengths":                fmt.Sprintf("Content-Length: 5\r\nContent-Length: %d", n+5),
		"two lengths in one":         fmt.Sprintf("Content-Length: 5, %d", n+5),
		"the same length in one":     "Content-Length: 5, 5",
		"signed length":              "Content-Length: +5",
		"negative length":            "Content-Length: -5",
		"hexadecimal length":         "Content-Length: 0x5",
		"length and a blank":         "Content-Length: 5 5",
		"length beyond 64 bits":      "Content-Length: 18446744073709551621",
		"empty length":               "Content-Length:",
		"length with a blank before": "Content-Length : 5",
		"length folded":              "X: y\r\n Content-Length: 5",
		"length folded itself":       "Content-Length:\r\n 5",
		"length with a bare LF":      "X: y\nContent-Length: 5",
		"length with a bare CR":      "X: y\rContent-Length: 5",
		"length with a NUL":          "Content-Length: 5\x00",
		"chunked folded":             "Transfer-Encoding:\r\n chunked",
		"chunked with a bare LF":     "X: y\nTransfer-Encoding: chunked",
		"chunked with a blank":       "Transfer-Encoding : chunked",
		"chunked with a tab":         "Transfer-Encoding: chunked\x0b",
		"chunked quoted":             `Transfer-Encoding: "chunked"`,
		"chunked in upper case":      "Transfer-Encoding: CHUNKED",
		"chunked twice":              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"chunked twice in one":       "Transfer-Encoding: chunked, chunked",
		"chunked and identity":       "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
		"chunked before identity":    "Transfer-Encoding: chunked, identity",
		"identity":                   "Transfer-Encoding: identity",
		"gzip and chunked":           "Transfer-Encoding: gzip, chunked",
		"nearly chunked":             "Transfer-Encoding: xchunked",
		"chunked with an underscore": "Transfer_Encoding: chunked",
		"a line without a colon":     "Content-Length",
		"a header without a name":    ": 5",
	} {
		for _, body := range []string{"0\r\n\r\n", "0\n\n", "5;x=\n12345\r\n0\r\n\r\n", "00000\r\n\r\n", "5\r\n12345"} {
			c := w.wire()
			c.send("GET /healthz HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\n" + body + smuggled + nonsense)
			for i, got := range c.rest() {
				if strings.Contains(got.body, "CANARY") || i > 1 || got.status != 200 && got.status != 400 && got.status != 501 {
					w.t.Errorf("%s, body %q: answer %d is %d %.100s", name, body, i, got.status, got.body)
				}
			}
		}
	}
}
