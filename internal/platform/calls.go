package platform

import (
	"container/list"
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// calls remembers what the calls of the last minutes came to. It is this process's: a
// try that another instance answers makes another. The zero value is ready to use.
type calls[T any] struct {
	mu  sync.Mutex
	of  map[callKey]*call[T]
	old list.List // the same, in the order in which they came
}

// callKey stands for a call: its name, what it is about, and the credential, so that
// who guesses a name is told nothing of another's.
type callKey [sha256.Size]byte

type call[T any] struct {
	key   callKey
	place *list.Element
	at    time.Time
	tries int           // that are here now; calls.mu guards it
	busy  chan struct{} // holds one while a try is at work
	id    string        // what is made has it, whichever try makes it
	made  *T            // nil until one has succeeded
	doubt bool          // one has failed, and perhaps it is made
}

const (
	maxCalls = 50_000
	callLife = 5 * time.Minute // longer than SDKs try

	// callTime bounds a try that goes on when its client has left.
	callTime = 30 * time.Second
)

// do does what a request asks for, unless an earlier try of the same call has: then
// it gives what that came to. A try goes on without its client, who comes again and
// would not know that it was done after all; and all have one id, because the answer of
// the database can be lost as well. Of a request that names no call nothing is
// remembered.
func (c *calls[T]) do(r *http.Request, now time.Time, about string, mint func() string, do func(ctx context.Context, id string) (T, error)) (made T, err error) {
	name := r.Header.Get(attemptHeader)
	if name == "" || len(name) > 128 {
		return do(r.Context(), mint())
	}
	this := c.enter(sha256.Sum256([]byte(r.Header.Get("Authorization")+"\x00"+about+"\x00"+name)), now)
	defer c.leave(this)
	select {
	case this.busy <- struct{}{}:
	case <-r.Context().Done():
		return made, r.Context().Err()
	}
	defer func() { <-this.busy }()
	if this.made != nil {
		return *this.made, nil
	}
	if this.id == "" {
		this.id = mint()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callTime)
	defer cancel()
	made, err = do(ctx, this.id)
	switch {
	case err == nil:
		this.made = &made
	case refusalOf(triggerError(err)).status >= http.StatusInternalServerError:
		this.doubt = true
	}
	return made, err
}

// enter is a call that one more try is for.
func (c *calls[T]) enter(key callKey, now time.Time) *call[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	this := c.of[key]
	if this == nil {
		if c.of == nil {
			c.of = map[callKey]*call[T]{}
		}
		this = &call[T]{key: key, at: now, busy: make(chan struct{}, 1)}
		c.of[key] = this
		this.place = c.old.PushBack(this)
	}
	this.tries++
	return this
}

// leave forgets a call at once that was refused: who sends nothing else is not to push
// out what others made.
func (c *calls[T]) leave(this *call[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if this.tries--; this.tries == 0 && this.made == nil && !this.doubt {
		c.drop(this)
	}
}

// forget drops calls whose time is over, and the oldest if there are too many, but none
// that a try is for. c.mu is held.
func (c *calls[T]) forget(now time.Time) {
	for range c.old.Len() {
		oldest := c.old.Front().Value.(*call[T]) // nothing else is in there
		switch {
		case len(c.of) < maxCalls && now.Sub(oldest.at) <= callLife:
			return
		case oldest.tries > 0:
			c.old.MoveToBack(oldest.place)
		default:
			c.drop(oldest)
		}
	}
}

func (c *calls[T]) drop(this *call[T]) {
	delete(c.of, this.key)
	c.old.Remove(this.place)
}
