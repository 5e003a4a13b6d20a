package merge

import (
	"io"
	"sync"
	"time"
)

// stall is how long a body that is streamed may say nothing. Clients wait, but
// what stands between takes a silent connection for a dead one.
const stall = 5 * time.Second

// bodyWriter writes messages, as an array or as a stream of events. Pages that are
// drained at the same time share it, and who keeps the body alive.
type bodyWriter struct {
	w      io.Writer
	events bool

	mu    sync.Mutex
	n     int64
	some  bool
	err   error
	wrote time.Time
}

// bracket writes one of the array's.
func (b *bodyWriter) bracket(s string) {
	if b.events {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.write([]byte(s))
}

// messages writes some, separated by commas, behind those before.
func (b *bodyWriter) messages(m []byte) {
	if len(m) == 0 {
		return
	}
	if b.events {
		m = appendEvents(nil, m)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.some && !b.events {
		b.write([]byte(","))
	}
	b.some = true
	b.write(m)
	b.wrote = time.Now()
}

// failed is the error of the first write that failed.
func (b *bodyWriter) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// result is what became of the body, for what else there was to fail.
func (b *bodyWriter) result(err error) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		err = b.err
	}
	return b.n, err
}

// write writes unless that failed before. b.mu is held.
func (b *bodyWriter) write(p []byte) {
	if b.err == nil {
		var n int
		n, b.err = b.w.Write(p)
		b.n += int64(n)
	}
}

// KeepAlive is what an event stream may have between two events, and nobody hears.
const KeepAlive = ": keep-alive\n\n"

// keepAlive writes something that nobody hears between two messages whenever
// nothing else was written for a while, until stop is called.
func (b *bodyWriter) keepAlive() (stop func()) {
	flusher, ok := b.w.(interface{ Flush() })
	if !ok {
		return func() {}
	}
	nothing := "\n"
	if b.events {
		nothing = KeepAlive
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(stall / 5)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			b.mu.Lock()
			if b.err == nil && time.Since(b.wrote) >= stall {
				b.write([]byte(nothing))
				flusher.Flush()
				b.wrote = time.Now()
			}
			b.mu.Unlock()
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
