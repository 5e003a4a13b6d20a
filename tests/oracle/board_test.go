package oracle

import (
	"context"
	"sync"
	"time"
)

// board is where writer and readers see how far the others are, so that nobody
// has to sleep.
type board struct {
	mu      sync.Mutex
	changed chan struct{}  // closed, and made anew, at every change
	commits int            // transactions that have ended
	answers int            // responses that readers have taken in
	rotated map[string]int // truncations by table
	counts  map[string]int // what has happened, for the report
	closing bool           // the phase ends: nobody rests
	cancel  context.CancelCauseFunc
}

func newBoard(cancel context.CancelCauseFunc) *board {
	return &board{changed: make(chan struct{}), rotated: make(map[string]int), counts: make(map[string]int), cancel: cancel}
}

// update changes the board and wakes everyone.
func (b *board) update(change func(*board)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
	close(b.changed)
	b.changed = make(chan struct{})
}

// look reads the board.
func (b *board) look(at func(*board)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at(b)
}

// wait returns when ok says so, or the context ends, or the time is over; it says
// whether ok did. ok is called with the board locked.
func (b *board) wait(ctx context.Context, most time.Duration, ok func(*board) bool) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		b.mu.Lock()
		good, changed := ok(b), b.changed
		b.mu.Unlock()
		if good {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// count notes that something has happened, and wakes nobody.
func (b *board) count(what string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[what] += n
}

// fail ends the seed with what was found first.
func (b *board) fail(v *violation) { b.cancel(v) }

// violation is something that the gateway must not do.
type violation struct {
	kind   kind
	reader string
	text   string
}

func (v *violation) Error() string { return string(v.kind) + ": " + v.reader + ": " + v.text }

// kind is which promise was broken.
type kind string

const (
	orphan     kind = "orphan"            // a change of a row that the reader does not hold
	regression kind = "regression"        // a row or a position went back
	rolledBack kind = "rolled back"       // a state or transaction that was never committed
	stranger   kind = "stranger"          // a row that the feed does not select
	wrongState kind = "wrong state"       // columns that are not those of the state
	badControl kind = "control message"   // a control message at the wrong place
	tooEarly   kind = "told too early"    // up to date, although the gateway had more
	stuck      kind = "stuck"             // not up to date, and the place did not move
	notHeld    kind = "not held"          // live, empty, and answered at once
	refetched  kind = "refetch"           // a 409 that no truncation explains
	protocol   kind = "protocol"          // another fault of a response
	diverged   kind = "diverged"          // not what SELECT gives
	lost       kind = "lost"              // did not get there in time
	broken     kind = "the oracle itself" // a fault of the test
)
