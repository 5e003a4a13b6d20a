package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"
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
