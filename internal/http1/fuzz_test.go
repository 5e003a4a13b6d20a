package http1

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// canned is a connection that brings the same whatever is asked.
type canned struct{ io.Reader }

func (canned) Write(p []byte) (int, error)      { return len(p), nil }
func (canned) Close() error                     { return nil }
func (canned) LocalAddr() net.Addr              { return nil }
func (canned) RemoteAddr() net.Addr             { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse gives a Transport any bytes for an answer: it takes from them what
// http.ReadResponse does, in every field, and leaves what that leaves. No body is longer
// than its length, and a connection is kept only if there was nothing behind a body that
// was whole.
func FuzzResponse(f *testing.F) {
	for _, wire := range []string{
		good, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + good, good + good, good[:len(good)-1], poll, poll[:len(poll)-1] + "[1]",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n3\r\n[1]\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\n[1]\r\nffffffffffffffff\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 099 \r\n\r\n", "\r\n", "no",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 2<<10) + "\r\n\r\n",
	} {
		f.Add([]byte(wire), false)
		f.Add([]byte(wire), true)
	}
	f.Fuzz(func(t *testing.T, wire []byte, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		transport, rest := New(), bytes.NewReader(wire)
		transport.MaxHead = 1 << 10
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return canned{rest}, nil }
		r := request(t.Context(), t, method, "http://electric/")
		if diff := differs(wire, r); diff != "" {
			t.Fatal(diff)
		}
		got, err := call(transport, r)
		kept := idling(transport) == 1
		transport.CloseIdleConnections()

		want, _, wantErr := readAll(wire, r, http.ReadResponse)
		if err != nil {
			if wantErr == nil && int64(len(wire)) <= transport.MaxHead {
				t.Fatalf("%v, where net/http reads %+v", err, want.resp)
			}
			return
		}
		if wantErr != nil || !sameResponse(got.resp, want.resp) || got.body != want.body || (got.err == nil) != (want.err == nil) {
			t.Fatalf("%+v\nnet/http's: %+v, %v", got, want, wantErr)
		}
		length := got.resp.ContentLength
		if n := int64(len(got.body)); length >= 0 && !head && (n > length && length > 0 || n < length && got.err == nil && bodyAllowed(got.resp.StatusCode)) {
			t.Errorf("%d bytes of a body of %d, %v", n, length, got.err)
		}
		if kept && (got.err != nil || rest.Len() > 0 || got.resp.Close) {
			t.Errorf("kept, with %d bytes to come: %+v", rest.Len(), got)
		}
	})
}

func bodyAllowed(status int) bool { return status != 204 && status != 304 }
