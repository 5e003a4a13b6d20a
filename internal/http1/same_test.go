package http1

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// exchange is what a server does with one request.
type exchange struct {
	wire string // empty: it hangs up
	ends bool   // it hangs up behind it
}

// told is how a call ended, as far as two transports have to agree.
type told struct {
	Failed, Cut bool // RoundTrip, the body
	Status      int
	Proto       string
	Header      http.Header
	Trailer     http.Header
	Length      int64
	Encoding    []string
	Close       bool
	Body        string
}

// play has a transport make calls, which a script answers, each connection from where
// the one before ended.
func play(t *rapid.T, script []exchange, method string, transport http.RoundTripper, dial *func(context.Context, string, string) (net.Conn, error)) (all []told) {
	var open sync.WaitGroup
	var mu sync.Mutex
	rest := script
	*dial = func(context.Context, string, string) (net.Conn, error) {
		mine, theirs := net.Pipe()
		open.Go(func() {
			defer theirs.Close()
			for in := bufio.NewReader(theirs); asked(in); {
				mu.Lock()
				if len(rest) == 0 {
					mu.Unlock()
					return
				}
				x := rest[0]
				rest = rest[1:]
				mu.Unlock()
				if _, err := io.WriteString(theirs, x.wire); err != nil || x.ends || x.wire == "" {
					return
				}
			}
		})
		return mine, nil
	}
	for range script {
		r, err := http.NewRequest(method, "http://electric/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		a, err := call(transport, r)
		if err != nil {
			all = append(all, told{Failed: true})
			continue
		}
		all = append(all, told{
			Cut: a.err != nil, Status: a.resp.StatusCode, Proto: a.resp.Proto, Header: a.resp.Header, Trailer: a.resp.Trailer,
			Length: a.resp.ContentLength, Encoding: a.resp.TransferEncoding, Close: a.resp.Close, Body: a.body,
		})
	}
	transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	open.Wait()
	return all
}

// drawWire draws an answer to a request, mostly one that is whole.
func drawWire(t *rapid.T, method string) exchange {
	var b strings.Builder
	for range rapid.IntRange(0, 2).Draw(t, "hints") {
		b.WriteString(rapid.SampledFrom([]string{"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"}).Draw(t, "hint"))
	}
	status := rapid.SampledFrom([]int{200, 200, 200, 204, 304, 400, 409, 503, 599}).Draw(t, "status")
	minor := rapid.SampledFrom([]int{1, 1, 1, 0}).Draw(t, "minor")
	fmt.Fprintf(&b, "HTTP/1.%d %d %s\r\n", minor, status, rapid.SampledFrom([]string{"OK", "", "A B"}).Draw(t, "reason"))
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		b.WriteString(rapid.SampledFrom([]string{
			"Electric-Handle: 1-2\r\n", "electric-handle:  3-4  \r\n", "A: b\r\n c\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n",
			"Pragma: no-cache\r\n", "Content-Type: application/json\r\n", "X: " + strings.Repeat("y", 5000) + "\r\n",
			"Bad\r\n", "Content-Length: x\r\n", "Content-Length: 7\r\n", "Transfer-Encoding: gzip\r\n",
		}).Draw(t, "header"))
	}
	body := strings.Repeat("0123456789abcdef", rapid.SampledFrom([]int{0, 1, 3, 300, 2000}).Draw(t, "sixteens"))
	bodiless := method == http.MethodHead || status == 204 || status == 304
	ends := rapid.IntRange(0, 4).Draw(t, "ends") == 0 || minor == 0 // which has no chunks
	switch rapid.SampledFrom([]string{"length", "chunked", "until the end"}).Draw(t, "kind") {
	case "length":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(body))
		if !bodiless {
			b.WriteString(body)
		}
	case "chunked":
		trailer := rapid.SampledFrom([]string{"", "", "Sum: 1\r\n"}).Draw(t, "trailer")
		if trailer != "" {
			b.WriteString("Trailer: Sum\r\n")
		}
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if bodiless {
			break
		}
		for rest := body; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, rapid.SampledFrom([]string{"", ";x=y"}).Draw(t, "extension"), rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n" + trailer + "\r\n")
	default:
		b.WriteString("\r\n")
		if !bodiless {
			b.WriteString(body)
			ends = true
		}
	}
	wire := b.String()
	switch rapid.IntRange(0, 7).Draw(t, "broken") {
	case 0:
		return exchange{wire[:rapid.IntRange(0, len(wire)).Draw(t, "cut")], true}
	case 1: // a byte is another
		at := rapid.IntRange(0, min(len(wire)-1, 200)).Draw(t, "at")
		return exchange{wire[:at] + string(rapid.ByteRange(0, 127).Draw(t, "byte")) + wire[at+1:], true}
	}
	return exchange{wire, ends}
}

// Whatever a server does, call after call on connections that are kept or not, a call
// here ends as it does in net/http.
func TestSameAsNetHTTP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD"}).Draw(t, "method")
		var script []exchange
		for range rapid.IntRange(1, 4).Draw(t, "calls") {
			script = append(script, drawWire(t, method))
		}
		theirs := &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 256}
		mine := New()
		got, want := play(t, script, method, mine, &mine.DialContext), play(t, script, method, theirs, &theirs.DialContext)
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("call %d of %+v:\n%+v\nnet/http's:\n%+v", i+1, script, got[i], want[i])
			}
		}
	})
}
