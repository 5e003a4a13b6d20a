package http1

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// poll is what an origin answers a poll with, in the names of Elixir's servers.
const poll = "HTTP/1.1 200 OK\r\ndate: Thu, 26 Nov 2026 20:44:00 GMT\r\ncontent-length: 3\r\nvary: accept-encoding\r\n" +
	"cache-control: public, max-age=5, stale-while-revalidate=5\r\nx-request-id: GHzYp4a1BvNkLq0AAAKB\r\n" +
	"access-control-allow-origin: *\r\naccess-control-expose-headers: *\r\naccess-control-allow-methods: GET, HEAD, DELETE, OPTIONS\r\n" +
	"content-type: application/json; charset=utf-8\r\nelectric-handle: 31046212-1764189840000000\r\nelectric-offset: 26796848_0\r\n" +
	"electric-cursor: 63849600\r\nelectric-up-to-date: \r\netag: \"31046212-1764189840000000:26796848_0:26796848_0\"\r\n\r\n[1]"

// inChunks is an answer whose body comes in chunks, as it stands there.
func inChunks(body string) string {
	return strings.Replace(poll[:len(poll)-3], "content-length: 3", "transfer-encoding: chunked", 1) + body
}

// The usual form is read by usual, so that a change that leaves everything to net/http
// is seen; what is not of it is left. Either way the answer is net/http's.
func TestTheUsualForm(t *testing.T) {
	with := func(header string) string { return strings.Replace(good, "\r\n", "\r\n"+header+"\r\n", 1) }
	status := func(line string) string { return strings.Replace(good, "HTTP/1.1 200 OK", line, 1) }
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "X%d: %d\r\n", i, i)
	}
	for _, c := range []struct {
		name, wire string
		usual      bool
	}{
		{"a poll's", poll, true},
		{"canonical names", good, true},
		{"odd cases", with("eLECTRIC-oFFSET-x: 0_0\r\n-a-: b\r\nETag: c\r\n1a: d"), true},
		{"a value that is empty", with("Electric-Up-To-Date:"), true},
		{"blanks around a value", with("A: \t b \t c\t "), true},
		{"a header twice, and one behind it", with("A: 1\r\nB: 2\r\na: 3\r\nC: 4"), true},
		{"more headers than there is room for", with("A: 1\r\nB: 2\r\n" + many.String() + "A: 3"), true},
		{"a colon in a value", with("A:b:c"), true},
		{"204 bytes", strings.Replace(good, "3", "204", 1) + strings.Repeat("x", 201), true},
		{"zeros before a length", strings.Replace(good, "3", "003", 1), true},
		{"a length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"no reason", status("HTTP/1.1 200 "), true},
		{"long reasons", status("HTTP/1.1 409  A  B "), true},
		{"the last status", status("HTTP/1.1 599 x"), true},
		{"more behind it", good + good, true},
		{"a body that is cut", good[:len(good)-1], true},
		{"a head and no body yet", good[:len(good)-3], true},

		{"chunks", inChunks("3\r\n[1]\r\n0\r\n\r\n"), true},
		{"chunks and more behind them", inChunks("3\r\n[1]\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"), true},
		{"several chunks", inChunks("1\r\n[\r\n02;x=y\r\n1]\r\n0\r\n\r\n"), true},
		{"no chunk", inChunks("0\r\n\r\n"), true},
		{"no chunks yet", inChunks(""), true},
		{"a chunk that is cut", inChunks("3\r\n[1"), true},
		{"a chunk that is no chunk", inChunks("x\r\n[1]"), true},
		{"a chunk of too much", inChunks("3\r\n[1]]\r\n0\r\n\r\n"), true},
		{"the last chunk cut", inChunks("3\r\n[1]\r\n0\r\n"), true},
		{"the last line cut", inChunks("3\r\n[1]\r\n0\r\n\r"), true},
		{"something in the last line", inChunks("3\r\n[1]\r\n0\r\nxy\r\n\r\nz"), true},
		{"a trailer nobody spoke of", inChunks("3\r\n[1]\r\n0\r\na: b\r\nC: d\r\n\r\nz"), true},
		{"a trailer that is cut", inChunks("3\r\n[1]\r\n0\r\na: b\r\nC: "), true},
		{"a trailer that is large", inChunks("3\r\n[1]\r\n0\r\na: " + strings.Repeat("b", bufferSize) + "\r\n\r\n"), true},

		{"a head that is cut", good[:len(good)-4], false},
		{"nothing", "", false},
		{"a hint before it", "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n" + good, false},
		{"204", status("HTTP/1.1 204 No Content"), false},
		{"304", status("HTTP/1.1 304 Not Modified"), false},
		{"600", status("HTTP/1.1 600 x"), false},
		{"a status of two digits", status("HTTP/1.1 20 OK"), false},
		{"a sign before a status", status("HTTP/1.1 +20 OK"), false},
		{"a status of four digits", status("HTTP/1.1 2000 OK"), false},
		{"two blanks before a status", status("HTTP/1.1  200 OK"), false},
		{"no blank behind a status", status("HTTP/1.1 200"), false},
		{"a control byte in a reason", status("HTTP/1.1 200 O\x01K"), false},
		{"HTTP/1.0", status("HTTP/1.0 200 OK"), false},
		{"in lower case", status("http/1.1 200 OK"), false},
		{"no length", strings.Replace(good, "Content-Length", "Content-Lengths", 1), false},
		{"two lengths", with("Content-Length: 3"), false},
		{"two lengths that differ", with("content-length: 4"), false},
		{"an empty length", with("Content-Length:"), false},
		{"a length with a sign", strings.Replace(good, "3", "+3", 1), false},
		{"a length below 0", strings.Replace(good, "3", "-3", 1), false},
		{"a length of hex", strings.Replace(good, "3", "0x3", 1), false},
		{"a length of lengths", strings.Replace(good, "3", "3, 3", 1), false},
		{"a length beyond all", strings.Replace(good, "3", "9223372036854775808", 1), false},
		{"a length beyond all, and another", with("Content-Length: 18446744073709551615"), false},
		{"two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n", false},
		{"another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", false},
		{"CHUNKED", "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\n[1]\r\n0\r\n\r\n", false},
		{"chunks twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n", false},
		{"chunks and a length", with("transfer-encoding: chunked"), false},
		{"a trailer", with("trailer: A"), false},
		{"close", with("connection: close"), false},
		{"keep-alive", with("Connection: keep-alive"), false},
		{"upgrade", with("upgrade: h2c"), false},
		{"pragma", with("pragma: no-cache"), false},
		{"a header that goes on", with("A: b\r\n c"), false},
		{"a blank before a name", "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 3\r\n\r\n[1]", false},
		{"a blank behind a name", with("A : b"), false},
		{"no name", with(": b"), false},
		{"no colon", with("A"), false},
		{"an underscore in a name", with("a_b: c"), false},
		{"a name that is not ASCII", with("\xc3\xa4: b"), false},
		{"a value that is not ASCII", with("A: \xc3\xa4"), false},
		{"a control byte in a value", with("A: \x00"), false},
		{"DEL in a value", with("A: \x7f"), false},
		{"LF alone", strings.ReplaceAll(good, "\r\n", "\n"), false},
		{"LF alone behind a value", with("A: b\nB: c"), false},
		{"CR alone in a value", with("A: b\rc"), false},
		{"LF alone at the end", strings.Replace(good, "\r\n\r\n", "\n\n", 1) + "\r\n\r\n", false},
		{"larger than the buffer", with("A: " + strings.Repeat("x", bufferSize)), false},
	} {
		r := request(t.Context(), t, http.MethodGet, "http://electric/")
		if diff := differs([]byte(c.wire), r); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if _, size := usual([]byte(c.wire)[:min(len(c.wire), bufferSize)]); (size > 0) != c.usual {
			t.Errorf("%s: usual took %d bytes", c.name, size)
		}
		r.Method = http.MethodHead
		if diff := differs([]byte(c.wire), r); diff != "" {
			t.Errorf("HEAD, %s: %s", c.name, diff)
		}
	}
}

// A conn has usual read what is usual, also behind a hint, and net/http the rest.
func TestWhoReadsAHead(t *testing.T) {
	for _, c := range []struct {
		name, method string
		pieces       []string
		usual        bool
	}{
		{"whole", "GET", []string{poll}, true},
		{"without a method", "", []string{poll}, true},
		{"cut behind the head", "GET", []string{poll[:len(poll)-3], poll[len(poll)-3:]}, true},
		{"behind a hint", "GET", []string{"HTTP/1.1 100 Continue\r\n\r\n" + poll}, true},
		{"in chunks", "GET", []string{inChunks("3\r\n[1]\r\n0\r\n\r\n")}, true},
		{"cut in the head", "GET", []string{poll[:40], poll[40:]}, false},
		{"HEAD", "HEAD", []string{poll}, false},
	} {
		var pieces []io.Reader
		for _, piece := range c.pieces {
			pieces = append(pieces, strings.NewReader(piece))
		}
		r := request(t.Context(), t, http.MethodGet, "http://electric/")
		r.Method = c.method
		resp, err := here(bufio.NewReaderSize(io.MultiReader(pieces...), bufferSize), r)
		if err != nil {
			t.Fatal(c.name, err)
		}
		_, mine := resp.Body.(*sized)
		if _, chunks := resp.Body.(*chunked); chunks {
			mine = true
		}
		if mine != c.usual || resp.Header.Get("Electric-Offset") != "26796848_0" {
			t.Errorf("%s: a body of %T, %v", c.name, resp.Body, resp.Header)
		}
		if !mine {
			continue
		}
		if n, err := resp.Body.Read(make([]byte, 9)); n != 3 || err != io.EOF {
			t.Errorf("%s: the first Read gives %d, %v", c.name, n, err)
		}
	}
}

// drawHead draws an answer near the border of the usual form.
func drawHead(t *rapid.T) []byte {
	var b strings.Builder
	from := func(label string, common int, odd ...string) string { // the first ones of odd are what most answers have
		if rapid.IntRange(0, 15).Draw(t, label+" odd") > 0 {
			odd = odd[:common]
		}
		return rapid.SampledFrom(odd).Draw(t, label)
	}
	end := func() string { return from("end", 1, "\r\n", "\n", "\r", "\r\r\n", " \r\n", "\r\n ", "\r\n\t") }
	b.WriteString(from("proto", 1, "HTTP/1.1 ", "HTTP/1.0 ", "HTTP/1.1  ", "HTTP/1.1\t", "http/1.1 ", "HTTP/2.0 ", "\r\nHTTP/1.1 "))
	b.WriteString(from("status", 4, "200 ", "200 OK", "409 A b ", "599 x", "204 ", "304 x", "199 ", "100 ", "600 ", "20", "+20 ", "2000", "200", "200\t", "200 \xff", "200 \x00"))
	b.WriteString(end())
	if rapid.IntRange(0, 3).Draw(t, "chunks") == 0 {
		return append([]byte(b.String()), drawChunks(t, from, end)...)
	}
	length := from("length", 2, "3", "0", "", "03", "+3", "-1", "3,3", "3 ", "\t3", "9223372036854775808", "0x3", "4")
	lines := []string{from("length's name", 2, "Content-Length", "content-length", "CONTENT-LENGTH", "Content-Length ", "Content_Length") + ": " + length}
	for range rapid.IntRange(0, 5).Draw(t, "headers") {
		lines = append(lines, from("name", 6, "A", "a", "eLECTRIC-hANDLE", "electric-handle", "-a--B", "1", "", " a", "a ", "a b", "a_b", "\xc3\xa4", "a\x00",
			"Content-Length", "Connection", "pragma", "Pragma", "Trailer", "upgrade", "Transfer-Encoding", "Cache-Control")+
			from("colon", 3, ":", ": ", ":\t ", "", " : ", "::")+
			from("value", 5, "", "x", " x\ty  ", "a:b", "\t", "3", "close", "no-cache", "chunked", "\xff", "\x00", "x\x7f", "x\rz", "x\r\n y"))
	}
	for _, line := range rapid.Permutation(lines).Draw(t, "order") {
		b.WriteString(line + end())
	}
	b.WriteString(end() + from("body", 2, "[1]", "[1]HTTP/1.1 200 OK\r\n\r\n", "", "[", "\r\n\r\n", "3\r\n[1]\r\n0\r\n\r\n"))
	return []byte(b.String())
}

// drawChunks draws the rest of one whose body comes in chunks.
func drawChunks(t *rapid.T, from func(string, int, ...string) string, end func() string) string {
	var b strings.Builder
	b.WriteString(from("coding's name", 2, "Transfer-Encoding", "transfer-encoding", "transfer_encoding") + ": " +
		from("coding", 1, "chunked", "Chunked", "gzip, chunked", "chunked,", "") + end() + "A: b" + end())
	b.WriteString(from("more", 1, "", "Content-Length: 3\r\n", "Trailer: A\r\n", "Transfer-Encoding: chunked\r\n") + end())
	for range rapid.IntRange(0, 3).Draw(t, "number") {
		b.WriteString(from("size", 3, "3", "03", "3;x", "4", "2", "-3", "x", "") + end() + "[1]" + end())
	}
	b.WriteString(from("last", 1, "0", "00", "", "0;x") + end() + from("trailer", 1, "", "A: b\r\n", "A: b\r\nA: c\r\n", ": b\r\n", "A", "\r") + end())
	return b.String() + from("behind", 1, "", "HTTP/1.1 200 OK\r\n", "x")
}

// Near the border of the usual form, on both sides of it, an answer is net/http's, and
// so is what is left unread.
func TestTheBorderOfTheUsualForm(t *testing.T) {
	var taken, left int
	rapid.Check(t, func(t *rapid.T) {
		wire := drawHead(t)
		r, err := http.NewRequest(rapid.SampledFrom([]string{"GET", "GET", "HEAD"}).Draw(t, "method"), "http://electric/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if diff := differs(slices.Clone(wire), r); diff != "" {
			t.Fatal(diff)
		}
		if _, size := usual(wire); size > 0 {
			taken++
		} else {
			left++
		}
	})
	if taken == 0 || left == 0 {
		t.Errorf("usual took %d of %d: this looks at one side only", taken, taken+left)
	}
	t.Logf("usual took %d of %d", taken, taken+left)
}

// BenchmarkHead reads one answer to a poll, head and body, from a buffer that has it.
func BenchmarkHead(b *testing.B) {
	r := request(b.Context(), b, http.MethodGet, "http://electric/")
	for _, c := range []struct {
		name string
		read func(*bufio.Reader, *http.Request) (*http.Response, error)
	}{{"usual", here}, {"net_http", http.ReadResponse}} {
		b.Run(c.name, func(b *testing.B) {
			wire, in, to := strings.NewReader(poll), bufio.NewReaderSize(nil, bufferSize), make([]byte, 512)
			b.ReportAllocs()
			for b.Loop() {
				wire.Reset(poll)
				in.Reset(wire)
				resp, err := c.read(in, r)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := resp.Body.Read(to); n != 3 || err != io.EOF {
					b.Fatal(n, err)
				}
			}
		})
	}
}
