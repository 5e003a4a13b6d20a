package electric

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func sortedList(list []string) string {
	slices.Sort(list)
	return strings.Join(list, ",")
}

// perConnection is the number of requests after which Electric 1.7.12 closes a
// connection without saying so.
const perConnection = 50

// scripted is a TCP server that answers every request with the next bytes of
// its script, whatever was asked.
type scripted struct {
	listener net.Listener
	script   chan reply
	asked    chan *http.Request
	open     sync.WaitGroup
	accepted int
}

// reply is what is written for a request; nil bytes hang up unanswered.
type reply struct {
	wire   []byte
	hangUp bool // after the bytes
	reset  bool // and rudely
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{listener: l, script: make(chan reply, 100), asked: make(chan *http.Request, 100)}
	s.open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted++
			s.open.Go(func() { s.serve(conn) })
		}
	})
	return s
}

func (s *scripted) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for range perConnection {
		request, err := http.ReadRequest(in)
		if err != nil {
			return // the client has hung up
		}
		s.asked <- request
		r := <-s.script
		_, err = conn.Write(r.wire)
		if r.reset {
			conn.(*net.TCPConn).SetLinger(0)
		}
		if err != nil || r.hangUp {
			return
		}
	}
}

// client gives a client of the server, which is closed with the test.
func (s *scripted) client(t *testing.T, secret string) *Client {
	t.Helper()
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	return s.clientOver(t, transport, secret)
}

func (s *scripted) clientOver(t *testing.T, transport http.RoundTripper, secret string) *Client {
	t.Helper()
	c, err := New(Config{
		Origin: "http://" + s.listener.Addr().String(), Secret: secret, Transport: transport, Recheck: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// close waits until every connection is gone; transports let go of theirs first.
func (s *scripted) close() {
	s.listener.Close()
	s.open.Wait()
}
