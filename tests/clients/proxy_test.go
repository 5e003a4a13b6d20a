package clients

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy passes TCP connections on to one address at a time. A connection that
// its backend breaks off is broken off for the client.
type proxy struct {
	listener net.Listener
	backend  atomic.Pointer[string]
	running  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // nil: closed
}

// newProxy starts one that goes with the test.
func newProxy(t testing.TB, backend string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, open: make(map[net.Conn]bool)}
	p.to(backend)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

// to names the backend of the connections from now on.
func (p *proxy) to(backend string) { p.backend.Store(&backend) }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.keep(client) {
			p.running.Go(func() { p.pass(client) })
		}
	}
}

func (p *proxy) pass(client net.Conn) {
	defer p.drop(client)
	backend, err := net.Dial("tcp", *p.backend.Load())
	if err != nil || !p.keep(backend) {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(backend, client)
		p.drop(backend)
	})
	_, _ = io.Copy(client, backend)
	p.drop(client)
	up.Wait()
}

// keep remembers a connection, or closes it if the proxy is closed.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close()
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for c := range p.open {
		_ = c.Close()
	}
	p.open = nil
	p.mu.Unlock()
	p.running.Wait()
}
