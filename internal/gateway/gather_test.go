package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// serveGathered serves with a handler that writes pieces and gathers them, in a request
// that came through the entrance. It gives the URL.
func serveGathered(t *testing.T, pieces func() [][]byte, conns func(*strictConn)) string {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connOf(r.Context())
		conns(conn)
		u := newUnread(w, streamUnread)
		defer u.over()
		u.gather(conn)
		for _, p := range pieces() {
			if _, err := u.Write(p); err != nil {
				t.Error(err)
			}
		}
		if err := u.end(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + serveThrough(t, handler)
}

// serveThrough serves on an address, with requests that come through the entrance.
func serveThrough(t *testing.T, handler http.Handler) (addr string) {
	t.Helper()
	server := NewHTTPServer(ServerConfig{Handler: &entrance{next: handler, observer: nobody{}}})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(server, l) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return l.Addr().String()
}

// Whatever pieces an answer has, its client gets those bytes: also where net/http's buffer
// is full with the last of them, and in the answers behind it on the same connection.
func TestGatheredAnswersAreWhole(t *testing.T) {
	var pieces [][]byte
	url := serveGathered(t, func() [][]byte { return pieces }, func(c *strictConn) {
		if c == nil {
			t.Error("the connection is not known")
		}
	})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(netHTTPBuffer-300, netHTTPBuffer+300), rapid.IntRange(1, 3*unreadBytes))
		pieces = nil
		var want []byte
		for i := range rapid.IntRange(0, 6).Draw(t, "pieces") {
			p := bytes.Repeat([]byte{byte('a' + i)}, size.Draw(t, "size"))
			pieces, want = append(pieces, p), append(want, p...)
		}
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, want %d: %v", len(got), len(want), err)
		}
	})
}

// Streams of HTTP/2 share a connection, and nobody has it to himself.
func TestNobodyGathersOverHTTP2(t *testing.T) {
	asked := false
	url := serveGathered(t, func() [][]byte { return nil }, func(c *strictConn) {
		if asked = true; c != nil {
			t.Error("a connection for several is given to one")
		}
	})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.ProtoMajor != 2 || !asked {
		t.Errorf("%s, asked: %v", response.Proto, asked)
	}
}

// However a connection is written to, the bytes arrive, in order, once ungather was called;
// a full buffer is kept until what follows it.
func TestGathering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ours, theirs := tcpPair(t)
		got := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(theirs)
			got <- all
		}()
		c := &strictConn{TCPConn: ours, out: ours}
		c.gather()
		var want []byte
		kept := 0
		for i := range rapid.IntRange(0, 8).Draw(t, "writes") {
			p := bytes.Repeat([]byte{byte('a' + i)}, rapid.OneOf(rapid.Just(netHTTPBuffer), rapid.IntRange(1, 2*netHTTPBuffer)).Draw(t, "size"))
			n, err := c.Write(p)
			if err != nil || n != len(p) {
				t.Fatal(n, err)
			}
			if want = append(want, p...); kept == 0 && len(p) == netHTTPBuffer {
				kept = len(p)
			} else {
				kept = 0
			}
			if n := len(c.gathering.kept); n != kept {
				t.Fatalf("%d bytes are kept, want %d", n, kept)
			}
			if rapid.IntRange(0, 3).Draw(t, "ungather") == 0 {
				if err := c.ungather(); err != nil || c.gathering != nil {
					t.Fatal(c.gathering, err)
				}
				c.gather()
				kept = 0
			}
		}
		if err := c.ungather(); err != nil {
			t.Fatal(err)
		}
		_ = ours.Close()
		if all := <-got; !bytes.Equal(all, want) {
			t.Fatalf("%d bytes arrived, want %d", len(all), len(want))
		}
	})
}

// Behind an answer that was cut off with bytes that net/http takes for written, nothing is
// written, whoever writes it. One that was cut off without such bytes leaves a connection
// as it was.
func TestNothingFollowsAHole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ours, theirs := tcpPair(t)
		c := &strictConn{TCPConn: ours, out: ours}
		c.gather()
		hole := rapid.Bool().Draw(t, "hole")
		size := 10
		if hole {
			size = netHTTPBuffer
		}
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "closed") { // so that what is kept cannot be written
			_ = ours.Close()
			u := newUnread(httptest.NewRecorder(), time.Second)
			u.gather(c)
			if err := u.end(); (err != nil) != hole {
				t.Fatal(err)
			}
		} else {
			c.cutOff()
		}
		for range 3 {
			_, err := c.Write([]byte("more"))
			if want := hole || errors.Is(err, net.ErrClosed); (err != nil) != want {
				t.Fatalf("%v, want an error: %v", err, want)
			}
			c.gather() // as the next answer would
			c.cutOff()
		}
		_ = ours.Close()
		if all, _ := io.ReadAll(theirs); hole && len(all) > 0 {
			t.Fatalf("%d bytes arrived", len(all))
		}
	})
}

// A reader who takes nothing of the last of an answer is cut as any other is: it does not
// get the end of the answer behind a hole, or the answer to its next request.
func TestTheEndHasItsTime(t *testing.T) {
	const piece = 5000 // of which net/http's buffer is kept, and the rest is in the buffer
	fails := make(chan error, 1)
	var before int // bytes of the answer before the last piece
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connOf(r.Context())
		_ = conn.SetWriteBuffer(16 << 10)
		err := func() error {
			u := newUnread(w, 100*time.Millisecond)
			u.gather(conn)
			defer u.over()
			for _, n := range []int{before, piece} {
				if _, err := u.Write(make([]byte, n)); err != nil {
					return err
				}
			}
			return u.end()
		}()
		fails <- err
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	addr := serveThrough(t, handler)
	ends := map[bool]int{}
	for before = 15_000; before < 60_000; before += 1500 {
		small := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}}
		c, err := small.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		failed := <-fails  // nobody reads until then
		if failed == nil { // else the connection is closed, and its end is the answer's
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		}
		whole := false
		if response, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			body, err := io.ReadAll(response.Body)
			whole = err == nil && len(body) == before+piece
		}
		_ = c.Close()
		if ends[whole]++; whole != (failed == nil) {
			t.Errorf("%d bytes: %v, and its reader has it whole: %v", before+piece, failed, whole)
		}
	}
	if ends[true] == 0 || ends[false] == 0 {
		t.Errorf("read whole or not: %v: that is no test", ends)
	}
}

// tcpPair is both ends of a connection.
func tcpPair(t *rapid.T) (ours *net.TCPConn, theirs net.Conn) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	theirs, err = new(net.Dialer).DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours = accepted.(*net.TCPConn)
	t.Cleanup(func() { _ = ours.Close() })
	return ours, theirs
}
