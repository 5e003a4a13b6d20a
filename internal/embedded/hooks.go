package embedded

import (
	"net/http"
	"sync/atomic"
	"time"
)

// hooks let a test wait for what cannot be seen from outside, and say what time
// it is. There are none in service.
type hooks struct {
	held     func(*http.Request) // a request is about to wait
	progress func()              // the log has been read further, or the connection came or went
	now      func() time.Time    // for what decides who may be given up
}

// hookBox holds the hooks, which are set while the server runs.
type hookBox struct{ v atomic.Pointer[hooks] }

func (b *hookBox) set(h hooks) { b.v.Store(&h) }

func (b *hookBox) held(r *http.Request) {
	if h := b.v.Load(); h != nil {
		h.held(r)
	}
}

func (b *hookBox) progress() {
	if h := b.v.Load(); h != nil {
		h.progress()
	}
}

func (b *hookBox) now() time.Time {
	if h := b.v.Load(); h != nil {
		return h.now()
	}
	return time.Now()
}
