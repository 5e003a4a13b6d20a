package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

var errEnough = errors.New("enough")

// Whenever a call is canceled, it ends with the cause, and its connection is closed.
func TestCancel(t *testing.T) {
	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errEnough)
		transport, dialed := counted(t)
		if _, err := call(transport, request(ctx, t, http.MethodGet, "http://127.0.0.1:1")); err != errEnough || dialed.Load() != 0 {
			t.Errorf("%v, %d connections", err, dialed.Load())
		}
	})
	t.Run("while it dials", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		transport := transport(t)
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel(errEnough)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if _, err := call(transport, request(ctx, t, http.MethodGet, "http://electric")); err != errEnough {
			t.Errorf("got %v", err)
		}
	})
	t.Run("while it writes", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		mine, theirs := net.Pipe()
		defer theirs.Close()
		transport := transport(t)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return mine, nil }
		go func() {
			theirs.Read(make([]byte, 1)) // of more
			cancel(errEnough)
		}()
		if _, err := call(transport, request(ctx, t, http.MethodGet, "http://electric")); err != errEnough {
			t.Errorf("got %v", err)
		}
		if _, err := io.Copy(io.Discard, theirs); err != nil {
			t.Errorf("the connection is open: %v", err)
		}
	})
	for name, before := range map[string]string{
		"while it waits":       "",
		"in the head":          good[:20],
		"in the body":          good[:len(good)-1],
		"in a chunked body":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n",
		"in a body until then": "HTTP/1.1 200 OK\r\n\r\n01234",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			gone := make(chan struct{})
			url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				defer close(gone)
				asked(in)
				io.WriteString(conn, before)
				cancel(errEnough)
				asked(in)
			})
			transport := transport(t)
			got, err := call(transport, request(ctx, t, http.MethodGet, url))
			if err != errEnough && got.err != errEnough {
				t.Errorf("%v, %v", err, got.err)
			}
			<-gone
			if idling(transport) != 0 {
				t.Error("its connection is kept")
			}
		})
	}
}

// A call that is over is not canceled any more: its connection may be another's.
func TestCancelBehindTheEnd(t *testing.T) {
	transport, dialed := counted(t)
	for _, wire := range []string{good, "HTTP/1.1 204 No Content\r\n\r\n"} {
		dialed.Store(0)
		url := raw(t, says(wire))
		for range 3 {
			ctx, cancel := context.WithCancelCause(t.Context())
			if got, err := call(transport, request(ctx, t, http.MethodGet, url)); err != nil || got.err != nil {
				t.Fatal(err, got.err)
			}
			cancel(errEnough)
		}
		if dialed.Load() != 1 {
			t.Errorf("%d connections", dialed.Load())
		}
	}
}

// Close ends a Read that waits, on another goroutine.
func TestCloseEndsARead(t *testing.T) {
	url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		asked(in)
		io.WriteString(conn, good[:len(good)-1])
		asked(in)
	})
	resp, err := transport(t).RoundTrip(request(t.Context(), t, http.MethodGet, url))
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan struct{})
	go func() {
		<-began
		resp.Body.Close()
	}()
	if _, err := io.ReadFull(resp.Body, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	close(began)
	if _, err := resp.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
		t.Errorf("got %v", err)
	}
}

// Calls that are canceled at any moment leave nothing behind that another call could
// meet: no connection in the middle of an answer, and none that is closed.
func TestCancelAtAnyMoment(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	transport := transport(t)
	for n := range 300 {
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			got, err := call(transport, request(ctx, t, http.MethodGet, url+"/canceled"))
			if err == nil {
				err = got.err
			}
			if err != nil && err != errEnough || err == nil && got.body != "/canceled" {
				t.Errorf("%q, %v", got.body, err)
			}
		}()
		for range n * 20 {
			ctx.Err() // some time passes, a little more each time
		}
		cancel(errEnough)
		<-ended
		if got := get(t, transport, url+"/kept"); got.body != "/kept" || got.err != nil {
			t.Fatalf("%q, %v", got.body, got.err)
		}
	}
}

// A body that is here already can be read when its call is canceled, but its connection
// is closed then, or about to be, and is not kept.
func TestCancelBeforeABufferedEnd(t *testing.T) {
	url := raw(t, says(good))
	transport := transport(t)
	for range 20 {
		ctx, cancel := context.WithCancelCause(t.Context())
		resp, err := transport.RoundTrip(request(ctx, t, http.MethodGet, url))
		if err != nil {
			t.Fatal(err)
		}
		cancel(errEnough)
		if got, err := io.ReadAll(resp.Body); err == nil && string(got) != "[1]" || err != nil && err != errEnough {
			t.Errorf("%q, %v", got, err)
		}
		if idling(transport) != 0 {
			t.Fatal("its connection is kept")
		}
	}
}
