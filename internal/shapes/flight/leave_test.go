package flight

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// Each poll ends the linger after its last waiter has left, whenever others left theirs.
func TestAPollEndsWhenItsLingerDoes(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		const many = 20
		var ended atomic.Int32
		for n := range many {
			ticket := g.Join(feed("e", n), at(1))
			c := s.one(t)
			after := time.Duration(n*n%7) * 400 * time.Millisecond
			time.AfterFunc(after, ticket.Leave)
			left := time.Now().Add(after)
			context.AfterFunc(c.ctx, func() {
				ended.Add(1)
				if took := time.Since(left); took < 3*time.Second || took > 3*time.Second+100*time.Millisecond {
					t.Errorf("poll %d ended after %v", n, took)
				}
			})
		}
		time.Sleep(time.Minute)
		if synctest.Wait(); ended.Load() != many || g.Stats().InAir != 0 || g.Stats().Shapes != 0 {
			t.Errorf("%d of %d polls have ended, %+v", ended.Load(), many, g.Stats())
		}
	})
}

// When everybody has left, nothing of their polls and reads remains: no request at the
// upstream, no descriptor, no goroutine.
func TestNothingRemainsOfThoseWhoLeft(t *testing.T) {
	descriptors := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	asked := make(chan struct{}, 100)
	var open atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	transport := electric.NewTransport()
	defer transport.CloseIdleConnections()
	client, err := electric.New(electric.Config{Origin: server.URL, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	g := New(Config{Source: client, Linger: 20 * time.Millisecond, Keep: 20 * time.Millisecond})
	defer g.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String()) // what polling costs once is not counted
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	ctx, leave := context.WithCancel(t.Context())
	const many = 20
	before, goroutines := descriptors(), runtime.NumGoroutine()
	var tickets []*Ticket
	read := make(chan error, many)
	for n := range many {
		tickets = append(tickets, g.Join(feed("e", n), at(1)))
		go func() {
			_, err := g.Read(ctx, feed("e", n), shapes.Position{Handle: "h", Offset: shapes.SnapshotEnd})
			read <- err
		}()
	}
	for range 2 * many {
		<-asked
	}
	if n := descriptors(); n < before+2*many {
		t.Fatalf("%d descriptors, with %d before %d calls", n, before, 2*many)
	}
	for _, ticket := range tickets {
		ticket.Leave()
	}
	leave()
	for range many {
		if err := <-read; err != context.Canceled {
			t.Error(err)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		n, d, st := runtime.NumGoroutine(), descriptors(), g.Stats()
		if n <= goroutines && d <= before && open.Load() == 0 && st.Shapes == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d requests, %d descriptors of %d, %d goroutines of %d, %+v", open.Load(), d, before, n, goroutines, st)
		}
	}
}
