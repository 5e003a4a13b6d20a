package embedded

import (
	"net/http"
	"sync/atomic"
)

// hooks let a test wait for what cannot be seen from outside. They are nil in
// service.
type hooks struct {
	held     func(*http.Request) // a request is about to wait
	progress func()              // the log has been read further, or the connection came or went
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
