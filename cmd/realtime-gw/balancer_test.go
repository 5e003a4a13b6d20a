package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// balancer gives connections to instances that say they are ready, in turn. It looks at
// bytes and not at requests, so it hides nothing of how an instance ends.
type balancer struct {
	url     string
	client  *http.Client
	mu      sync.Mutex
	all     []string // addresses
	ready   []string
	next    int
	changed *sync.Cond
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{url: "http://" + listener.Addr().String(), client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}}
	b.changed = sync.NewCond(&b.mu)
	var running sync.WaitGroup
	done := make(chan struct{})
	running.Go(func() { b.look(done) })
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { b.connect(conn) })
		}
	})
	t.Cleanup(func() {
		close(done)
		_ = listener.Close()
		running.Wait()
	})
	return b
}

// add has an instance looked at, and returns when it is ready.
func (b *balancer) add(origin string) {
	addr := strings.TrimPrefix(origin, "http://")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, addr)
	for !b.isReady(addr) {
		b.changed.Wait()
	}
}

// untilUnready waits until an instance is known not to be ready.
func (b *balancer) untilUnready(origin string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.isReady(strings.TrimPrefix(origin, "http://")) {
		b.changed.Wait()
	}
}

// isReady is asked under b.mu.
func (b *balancer) isReady(addr string) bool {
	for _, r := range b.ready {
		if r == addr {
			return true
		}
	}
	return false
}

// look asks all instances again and again whether they are ready.
func (b *balancer) look(done <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-done:
			return
		}
		b.mu.Lock()
		all := b.all
		b.mu.Unlock()
		var ready []string
		for _, addr := range all {
			res, err := b.client.Get("http://" + addr + "/readyz")
			if err != nil {
				continue
			}
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				ready = append(ready, addr)
			}
		}
		b.mu.Lock()
		b.ready = ready
		b.mu.Unlock()
		b.changed.Broadcast()
	}
}

// pick gives an instance that is ready, or "".
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return ""
	}
	b.next++
	return b.ready[b.next%len(b.ready)]
}

// connect is a connection, to its end. An instance that cannot be reached is no
// longer ready, only nobody has noticed yet: another one is taken.
func (b *balancer) connect(client net.Conn) {
	defer func() { _ = client.Close() }()
	var instance net.Conn
	for range 3 {
		var err error
		if instance, err = net.Dial("tcp", b.pick()); err == nil {
			break
		}
	}
	if instance == nil {
		return
	}
	defer func() { _ = instance.Close() }()
	var sent sync.WaitGroup
	sent.Go(func() {
		_, _ = io.Copy(instance, client)
		_ = instance.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(client, instance)
	_ = client.(*net.TCPConn).CloseWrite()
	_ = client.SetReadDeadline(time.Now()) // the instance has ended it
	sent.Wait()
}
