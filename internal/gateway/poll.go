package gateway

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
)

// poll is a live request that waits for news.
//
// What a waiting client costs is its connection, the stack of that connection's
// goroutine, and this. A stack grows to what was needed once (routing, authentication
// and the feed need 16 KiB) and shrinks to half, at a collection, only where less than
// a quarter is in use, of which net/http itself uses more than a quarter of 4 KiB. So
// that is done aside, on a stack that goes away, up to where the request waits; and
// the connection's goroutine waits in the entrance, with nothing in between.
type poll struct {
	gateway *gateway
	ctx     context.Context
	held    *feeds.Held
	over    func() // it waits no more
	release func() // gives back its slot; it may be called again
	client  dialect
	crowd   int // how many are told the same now, if the answer was whole when it was written
}

// mayWait says that a request may be one that waits for news. It costs little to be
// wrong. Streams are written all the time, by whoever serves them.
func mayWait(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "live=") && !strings.Contains(r.URL.RawQuery, "sse")
}

// aside calls f on a stack of its own, and returns when it has. What f panics with,
// its caller does.
func aside(f func()) {
	var thrown any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if thrown = recover(); thrown != nil && thrown != http.ErrAbortHandler {
				thrown = fmt.Sprintf("%v\n\n%s", thrown, debug.Stack()) // the other stack says nothing of it
			}
		}()
		grow()
		f()
	}()
	<-done
	if thrown != nil {
		panic(thrown)
	}
}

// asideBytes is what a request takes of a stack until it waits, but for the race detector.
const asideBytes = 10 << 10

// grow has the stack of a new goroutine grow at once, instead of again and again, each
// time copying a deeper one: that is a third of what a poll costs.
//
//go:noinline
func grow() {
	var room [asideBytes]byte
	keep(&room)
}

//go:noinline
func keep(*[asideBytes]byte) {}

// finish answers, once it was waited for.
//
//go:noinline
func (p *poll) finish(v *visit) {
	defer p.release()
	if err := p.answer(&v.out, v); err != nil {
		fail(p.ctx, &v.out, err)
	}
}

// answer writes what came, or gives what is to be answered instead. v is nil where others
// write around it.
func (p *poll) answer(w http.ResponseWriter, v *visit) error {
	batch, err := p.held.Batch()
	p.over()
	p.gateway.endConnection(w)
	if err != nil {
		return p.gateway.feedError(w, p.client, err)
	}
	defer batch.Close()
	if batch.Size() >= 0 {
		p.crowd = batch.Crowd
	}
	p.client.body(batch)
	if size := batch.Size(); size >= 0 && size <= copiedBytes {
		p.release() // or a client who asks again at once may find no slot
	}
	if v != nil {
		if v.straight, err = p.gateway.heads.straight(v, p.client, batch); err != nil {
			v.left = true // the system does not say more
			panic(http.ErrAbortHandler)
		}
		if v.straight {
			return nil
		}
	}
	write(p.ctx, w, p.client, batch, p.gateway.config.Unread)
	return nil
}
