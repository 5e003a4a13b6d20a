package platform

import (
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// attemptHeader names a call of an SDK, the same for all its tries.
const attemptHeader = "X-Trigger-Request-Idempotency-Key"

// once triggers, unless an earlier try of the same call has done so: its answer may
// have been lost on the way.
func (p *platform) once(r *http.Request, request trigger.Request) (triggered, error) {
	about := request.Environment.ID + "\x00" + request.Task + "\x00" + request.ReplayedFrom
	mint := func() string { return p.config.Trigger.NewID(request.Environment.OrganizationID) }
	return p.triggers.do(r, p.config.Now(), about, mint, func(ctx context.Context, id string) (triggered, error) {
		request.ID = id
		made, err := p.config.Trigger.Trigger(ctx, request)
		return triggered{made.FriendlyID, made.IsCached}, err
	})
}

// calls remembers what the calls of the last minutes came to. It is this process's:
// a try that another instance answers makes another. The zero value is ready to use.
type calls[T any] struct {
	mu  sync.Mutex
	of  map[callKey]*call[T]
	old []callKey // in the order in which they came
}

// callKey stands for a call: its name, what it is about, and the credential, so that
// who guesses a name is told nothing of another's.
type callKey [sha256.Size]byte

type call[T any] struct {
	at   time.Time
	busy chan struct{} // holds one while a try is at work
	id   string        // what is made has it, whichever try makes it
	made *T            // nil until one has succeeded
}

const (
	maxCalls = 10_000
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
	this := c.find(sha256.Sum256([]byte(r.Header.Get("Authorization")+"\x00"+about+"\x00"+name)), now)
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
	if made, err = do(ctx, this.id); err == nil {
		this.made = &made
	}
	return made, err
}

func (c *calls[T]) find(key callKey, now time.Time) *call[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.old) > 0 && (len(c.old) >= maxCalls || now.Sub(c.of[c.old[0]].at) > callLife) {
		delete(c.of, c.old[0])
		c.old = c.old[1:]
	}
	this := c.of[key]
	if this == nil {
		if c.of == nil {
			c.of = map[callKey]*call[T]{}
		}
		this = &call[T]{at: now, busy: make(chan struct{}, 1)}
		c.of[key] = this
		c.old = append(c.old, key)
	}
	return this
}
