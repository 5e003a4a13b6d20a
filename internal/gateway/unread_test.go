package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// piped is a listener of one connection, which takes no byte that nobody reads.
type piped struct {
	conn  chan net.Conn
	ended chan struct{}
}

func (p *piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conn:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *piped) Close() error   { close(p.ended); return nil }
func (p *piped) Addr() net.Addr { return &net.TCPAddr{} }

// servePiped has a server answer what is asked on the connection that it gives, until the
// end of the test.
func servePiped(t *testing.T, answer http.HandlerFunc) net.Conn {
	ours, theirs := net.Pipe()
	l := &piped{conn: make(chan net.Conn, 1), ended: make(chan struct{})}
	l.conn <- ours
	server := &http.Server{Handler: answer}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_, _ = theirs.Close(), server.Close()
		<-done
	})
	return theirs
}

func askPiped(conn net.Conn) { _, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }

// A reader is cut that takes nothing for the time it has, and none that is only slow. What
// comes on the connection afterwards has no deadline of the answer before.
func TestWhoTakesNothingIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const within = time.Minute
		outcome := make(chan error, 2)
		theirs := servePiped(t, func(w http.ResponseWriter, r *http.Request) {
			u := newUnread(w, within)
			defer u.over()
			_, err := u.Write(make([]byte, 4*unreadBytes))
			outcome <- err
			if err != nil {
				panic(http.ErrAbortHandler)
			}
		})
		askPiped(theirs)
		read := make(chan struct{})
		go func() { // who reads what there is, but slowly
			defer close(read)
			for b := make([]byte, unreadBytes/2); ; time.Sleep(within / 4) {
				if _, err := io.ReadFull(theirs, b); err != nil {
					return
				}
			}
		}()
		if err := <-outcome; err != nil {
			t.Fatalf("a slow reader is cut: %v", err)
		}
		time.Sleep(10 * within) // the rest has left, and nothing else comes
		_ = theirs.SetReadDeadline(time.Now())
		<-read
		_ = theirs.SetReadDeadline(time.Time{})
		askPiped(theirs)
		began := time.Now()
		err := <-outcome
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < within || took > 2*within {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// So is one who takes nothing of the last, which net/http has kept until then.
func TestWhoDoesNotTakeTheLastIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const within = time.Minute
		outcome := make(chan error, 1)
		theirs := servePiped(t, func(w http.ResponseWriter, r *http.Request) {
			u := newUnread(w, within)
			defer u.over()
			if _, err := u.Write([]byte("little")); err != nil {
				t.Error(err)
			}
			outcome <- u.end()
		})
		askPiped(theirs)
		began := time.Now()
		err := <-outcome
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != within {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// So is one who takes nothing of a small answer: it would keep a slot, and rows, for ever.
func TestWhoTakesNothingOfLittleIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, feed := feedOver(t, &crowd{})
		asked := 0
		theirs := servePiped(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 2 {
				_, _ = io.WriteString(w, "something else")
				return
			}
			who := &auth.Principal{Environment: auth.Environment{ID: crowdEnv}}
			if err := g.serve(w, r, who, feed, &feedQuery{Offset: "-1"}); err != nil {
				t.Error(err)
			}
		})
		in := bufio.NewReader(theirs)
		for range 2 {
			askPiped(theirs)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * g.config.Unread) // what comes then has no deadline of this answer
		}
		askPiped(theirs)
		began := time.Now()
		_, err := theirs.Write(make([]byte, 1<<10)) // which nobody reads before the connection ends
		if took := time.Since(began); err == nil || took != g.config.Unread {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// endless is an upstream whose bodies go on until nobody wants them any more.
type endless struct{ crowd }

func (e *endless) Read(ctx context.Context, _ *shapes.Definition, _ shapes.Position) (*shapes.Page, error) {
	body := "[" + strings.Repeat(crowdRow+",", 4<<10)
	return &shapes.Page{
		Next: shapes.Position{Handle: "17-23", Offset: shapes.LogOffset(1, 0)}, Schema: `{"id":{"type":"text"}}`,
		Messages: shapes.NewScanner(io.MultiReader(strings.NewReader(body), until{ctx})), Close: func() error { return nil },
	}, nil
}

// until reads nothing until a context ends.
type until struct{ ctx context.Context }

func (u until) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, context.Cause(u.ctx)
}

// A client that has ceased to send is taken for one that has gone; if it is there, it must
// not take what it got for all.
func TestWhoCeasesToSendIsCut(t *testing.T) {
	g, feed := feedOver(t, &endless{})
	addr := serve(t, ServerConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := &auth.Principal{Environment: auth.Environment{ID: crowdEnv}}
		if err := g.serve(w, r, who, feed, &feedQuery{Offset: "-1"}); err != nil {
			t.Error(err)
		}
	})})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	askPiped(conn)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	defer res.Body.Close()
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after %d bytes: %v", n, err)
	}
}
