package browser

import (
	"sync"
	"testing"
	"time"
)

// bell guards what the processes of a test have said, and rings when they say
// more.
type bell struct {
	sync.Mutex
	rung chan struct{}
}

func newBell() *bell { return &bell{rung: make(chan struct{})} }

// change runs do under the lock and rings.
func (b *bell) change(do func()) {
	b.Lock()
	defer b.Unlock()
	do()
	close(b.rung)
	b.rung = make(chan struct{})
}

// await waits until ok, and fails the test with what there is instead if that
// takes too long. Both functions run under the lock.
func (b *bell) await(t testing.TB, what string, ok func() bool, instead func() string) {
	t.Helper()
	late := time.After(patience)
	for {
		b.Lock()
		reached, rung := ok(), b.rung
		b.Unlock()
		if reached {
			return
		}
		select {
		case <-rung:
		case <-late:
			b.Lock()
			defer b.Unlock()
			t.Fatalf("in %s there was not %s, but\n%s", patience, what, instead())
		}
	}
}
