package relay

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// Relay passes each TCP connection on to one backend. A connection that its backend
// breaks off is broken off for the client.
type Relay struct {
	listener net.Listener
	backend  func() string
	running  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // nil: closed
}

// New starts one that goes with the test. backend gives the address, "host:port",
// for the next connection.
func New(t testing.TB, backend func() string) *Relay {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Relay{listener: listener, backend: backend, open: make(map[net.Conn]bool)}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// URL is where the relay is.
func (p *Relay) URL() string { return "http://" + p.listener.Addr().String() }

func (p *Relay) accept() {
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

func (p *Relay) pass(client net.Conn) {
	defer p.drop(client)
	var dial net.Dialer
	backend, err := dial.DialContext(context.Background(), "tcp", p.backend())
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

// keep remembers a connection, or closes it if the relay is closed.
func (p *Relay) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Relay) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close()
}

func (p *Relay) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for c := range p.open {
		_ = c.Close()
	}
	p.open = nil
	p.mu.Unlock()
	p.running.Wait()
}
