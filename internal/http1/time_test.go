package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// piped has a Transport dial pipes, whose other ends are served within the bubble.
func piped(serve func(net.Conn, *bufio.Reader)) (*Transport, *sync.WaitGroup) {
	open := new(sync.WaitGroup)
	transport := New()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		mine, theirs := net.Pipe()
		open.Go(func() {
			defer theirs.Close()
			serve(theirs, bufio.NewReader(theirs))
		})
		return mine, nil
	}
	return transport, open
}

// An answer that does not begin, or of which the head does not end, is given up in time;
// a body is waited for as long as it takes.
func TestHowLongAHeadMayTake(t *testing.T) {
	for name, c := range map[string]struct {
		pieces []string
		pause  time.Duration
		want   error
		took   time.Duration
	}{
		"silent":         {[]string{""}, time.Hour, os.ErrDeadlineExceeded, 75 * time.Second},
		"drips":          {[]string{good[:5], good[5:10], good[10:15], good[15:]}, 20 * time.Second, os.ErrDeadlineExceeded, 75 * time.Second},
		"hints":          {[]string{"HTTP/1.1 100 Continue\r\n\r\n", good}, 40 * time.Second, os.ErrDeadlineExceeded, 75 * time.Second},
		"just in time":   {[]string{good}, 74 * time.Second, nil, 74 * time.Second},
		"a body is slow": {[]string{good[:len(good)-3], "[", "1]"}, 74 * time.Second, nil, 3 * 74 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			transport, open := piped(func(conn net.Conn, in *bufio.Reader) {
				asked(in)
				for _, piece := range c.pieces {
					time.Sleep(c.pause)
					io.WriteString(conn, piece)
				}
			})
			start := time.Now()
			got, err := call(transport, request(t.Context(), t, http.MethodGet, "http://electric"))
			if took := time.Since(start); !errors.Is(err, c.want) || err == nil && got.body != "[1]" || took != c.took {
				t.Errorf("%s: %q, %v after %s", name, got.body, err, took)
			}
			transport.CloseIdleConnections()
			open.Wait()
		})
	}
}

// A request that nobody reads is given up, too.
func TestHowLongARequestMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		transport, open := piped(func(net.Conn, *bufio.Reader) { <-end })
		start := time.Now()
		_, err := call(transport, request(t.Context(), t, http.MethodGet, "http://electric"))
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != 75*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		close(end)
		open.Wait()
	})
}

// A kept connection on which nothing comes in time was not closed: what it was asked is
// not sent again.
func TestASilentConnectionIsNotAClosedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks := 0
		transport, open := piped(func(conn net.Conn, in *bufio.Reader) {
			for asked(in) {
				if asks++; asks == 1 {
					io.WriteString(conn, good)
				}
			}
		})
		get(t, transport, "http://electric")
		_, err := call(transport, request(t.Context(), t, http.MethodGet, "http://electric"))
		open.Wait()
		if !errors.Is(err, os.ErrDeadlineExceeded) || asks != 2 {
			t.Errorf("%v, asked %d times", err, asks)
		}
	})
}

// Connections idle for 45 s, each from the end of its own last call, whoever else is
// busy; and the timer rests when none does.
func TestHowLongConnectionsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var closed []time.Duration
		start := time.Now()
		transport, open := piped(func(conn net.Conn, in *bufio.Reader) {
			for asked(in) {
				io.WriteString(conn, good)
			}
			mu.Lock()
			defer mu.Unlock()
			closed = append(closed, time.Since(start))
		})
		hold := func() func() {
			resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodGet, "http://electric"))
			if err != nil {
				t.Fatal(err)
			}
			return func() { io.Copy(io.Discard, resp.Body) }
		}
		first, second, third := hold(), hold(), hold()
		first()
		time.Sleep(10 * time.Second)
		second()
		time.Sleep(30 * time.Second)
		third()
		for range 3 { // at 40, 60 and 80 s, which the third serves
			get(t, transport, "http://electric")
			time.Sleep(20 * time.Second)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []time.Duration{45 * time.Second, 55 * time.Second, 125 * time.Second}
		if len(closed) != 3 || closed[0] != want[0] || closed[1] != want[1] || closed[2] != want[2] {
			t.Errorf("closed after %v, want %v", closed, want)
		}
		if transport.idle.timer != nil || len(transport.idle.conns) != 0 {
			t.Errorf("the timer runs for %v", transport.idle.conns)
		}
		get(t, transport, "http://electric")
		transport.CloseIdleConnections()
		open.Wait()
	})
}
