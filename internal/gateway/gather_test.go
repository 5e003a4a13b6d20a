package gateway

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

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
	})
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
	return "http://" + l.Addr().String()
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

// However a connection is written to, the bytes arrive, in order, once release was called;
// a full buffer comes in one write with what follows it.
func TestGathering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ours, theirs := tcpPair(t)
		got := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(theirs)
			got <- all
		}()
		c := &strictConn{TCPConn: ours, gathering: new(gathering)}
		var want []byte
		for i := range rapid.IntRange(0, 8).Draw(t, "writes") {
			p := bytes.Repeat([]byte{byte('a' + i)}, rapid.OneOf(rapid.Just(netHTTPBuffer), rapid.IntRange(1, 2*netHTTPBuffer)).Draw(t, "size"))
			n, err := c.Write(p)
			if err != nil || n != len(p) {
				t.Fatal(n, err)
			}
			if want = append(want, p...); rapid.IntRange(0, 3).Draw(t, "release") == 0 {
				if err := c.gathering.release(c.TCPConn); err != nil || len(c.gathering.kept) > 0 {
					t.Fatal(len(c.gathering.kept), err)
				}
			}
		}
		if err := c.gathering.release(c.TCPConn); err != nil {
			t.Fatal(err)
		}
		_ = ours.Close()
		if all := <-got; !bytes.Equal(all, want) {
			t.Fatalf("%d bytes arrived, want %d", len(all), len(want))
		}
	})
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
