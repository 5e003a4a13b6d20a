package electric

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// closing is a TCP server that answers each question with a row that nobody had
// before, and closes every connection after its 50th, without a word.
type closing struct {
	listener net.Listener
	end      func(net.Conn, *bufio.Reader) // how it does that
	rows     atomic.Int64                  // answered
	accepted atomic.Int64
	open     sync.WaitGroup
}

func newClosing(t *testing.T, end func(net.Conn, *bufio.Reader)) *closing {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &closing{listener: listener, end: end}
	s.open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Go(func() { s.serve(conn) })
		}
	})
	return s
}

func (s *closing) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16) // so that what it has not read is the kernel's
	for range perConnection {
		if _, err := http.ReadRequest(in); err != nil {
			return // the client has hung up
		}
		n := s.rows.Add(1)
		body := fmt.Sprintf(`[{"key":"k","value":{"id":"%d"},"headers":{"operation":"insert","lsn":"9","op_position":0}},{"headers":{"control":"up-to-date"}}]`, n)
		if _, err := fmt.Fprintf(conn, "%scontent-length: %d\r\n\r\n%s", goodHead(), len(body), body); err != nil {
			return
		}
	}
	s.end(conn, in)
}

// goodHead is that of an answer to anything asked at place, but for its end.
func goodHead() string {
	head := answerHead("")
	return head[:len(head)-len("\r\n")]
}

// Electric closes a kept connection after 50 requests without saying so. However that
// meets the next request, before it, in the middle of it or behind it, in order or
// rudely: it is answered, by one answer, with no error, no pause, and no word in the
// log.
func TestConnectionsThatAreClosedMeetNobody(t *testing.T) {
	for name, end := range map[string]func(net.Conn, *bufio.Reader){
		"at once":         func(net.Conn, *bufio.Reader) {},
		"at the next":     func(_ net.Conn, in *bufio.Reader) { _, _ = in.ReadByte() }, // the rest is unread: a reset
		"behind the next": func(_ net.Conn, in *bufio.Reader) { _, _ = http.ReadRequest(in) },
		"behind it, rudely": func(conn net.Conn, in *bufio.Reader) {
			_, _ = http.ReadRequest(in)
			_ = conn.(*net.TCPConn).SetLinger(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newClosing(t, end)
			transport := NewTransport()
			client, err := New(Config{Origin: "http://" + server.listener.Addr().String(), Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			source := steady.New(steady.Config{Source: client, Log: zerolog.New(&log), Random: func(time.Duration) time.Duration {
				t.Error("a pause was drawn")
				return 0
			}})
			const readers, each = 4, 3*perConnection + 1
			got := make([][]string, readers)
			var all sync.WaitGroup
			for i := range readers {
				all.Go(func() {
					for n := range each {
						rows, err := readOnce(t.Context(), source, n%2 == 0)
						if err != nil {
							t.Errorf("reader %d, question %d: %v", i, n, err)
						}
						got[i] = append(got[i], rows)
					}
				})
			}
			all.Wait()
			transport.CloseIdleConnections()
			server.listener.Close()
			server.open.Wait()
			distinct := slices.Compact(slices.Sorted(slices.Values(slices.Concat(got...))))
			if len(distinct) != readers*each || server.rows.Load() != readers*each {
				t.Errorf("%d questions, %d answers, %d rows", readers*each, server.rows.Load(), len(distinct))
			}
			if least := int64(readers * each / perConnection); server.accepted.Load() < least || server.accepted.Load() > least+2*readers {
				t.Errorf("%d connections", server.accepted.Load())
			}
			if log.Len() > 0 {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
}

func readOnce(ctx context.Context, source shapes.Source, live bool) (string, error) {
	if live {
		news, err := source.Wait(ctx, def, place)
		if err != nil {
			return "", err
		}
		return string(news.Rows), nil
	}
	page, err := source.Read(ctx, def, place)
	if err != nil {
		return "", err
	}
	defer page.Close()
	var all shapes.Batch
	_, err = all.Fill(page.Messages, 1<<20)
	return string(all.Rows), err
}

// Electric closes a connection that was idle for 60 s. This side lets go of it before,
// so that no question crosses that on its way.
func TestIdleConnectionsAreLeftBeforeElectricLeavesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open sync.WaitGroup
		var closedFirst atomic.Int32
		transport := NewTransport()
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			mine, theirs := net.Pipe()
			open.Go(func() {
				defer theirs.Close()
				in := bufio.NewReader(theirs)
				for {
					_ = theirs.SetReadDeadline(time.Now().Add(60 * time.Second))
					if _, err := http.ReadRequest(in); err != nil {
						if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
							closedFirst.Add(1)
						}
						return
					}
					_, _ = fmt.Fprint(theirs, goodHead()+"content-length: 2\r\n\r\n[]")
				}
			})
			return mine, nil
		}
		client, err := New(Config{Origin: "http://electric:3000", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		for _, pause := range []time.Duration{0, 10 * time.Second, 44 * time.Second, 46 * time.Second, 59 * time.Second, time.Minute, 61 * time.Second, time.Hour} {
			time.Sleep(pause)
			if _, err := readOnce(t.Context(), client, false); err != nil {
				t.Errorf("after %s: %v", pause, err)
			}
		}
		transport.CloseIdleConnections()
		open.Wait()
		if closedFirst.Load() > 0 {
			t.Errorf("Electric was the first to leave %d times", closedFirst.Load())
		}
	})
}
