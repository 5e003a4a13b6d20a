package platform

import (
	"context"
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
	do := func() (triggered, error) {
		made, err := p.config.Trigger.Trigger(r.Context(), request)
		return triggered{made.FriendlyID, made.IsCached}, err
	}
	call := r.Header.Get(attemptHeader)
	if call == "" || len(call) > 128 {
		return do()
	}
	return p.calls.do(r.Context(), request.Environment.ID+"\x00"+request.Task+"\x00"+call, p.config.Now(), do)
}

// calls remembers what the calls of the last minutes came to. It is this process's:
// a try that another instance answers makes another run.
type calls struct {
	mu  sync.Mutex
	of  map[string]*call
	old []string // keys in the order in which they came
}

type call struct {
	at   time.Time
	busy chan struct{} // holds one while a try is at work
	made *triggered    // nil until one has succeeded
}

const (
	maxCalls = 10_000
	callLife = 5 * time.Minute // longer than SDKs try
)

func (c *calls) do(ctx context.Context, key string, now time.Time, do func() (triggered, error)) (triggered, error) {
	this := c.find(key, now)
	select {
	case this.busy <- struct{}{}:
	case <-ctx.Done():
		return triggered{}, ctx.Err()
	}
	defer func() { <-this.busy }()
	if this.made != nil {
		return *this.made, nil
	}
	made, err := do()
	if err == nil {
		this.made = &made
	}
	return made, err
}

func (c *calls) find(key string, now time.Time) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.old) > 0 && (len(c.old) >= maxCalls || now.Sub(c.of[c.old[0]].at) > callLife) {
		delete(c.of, c.old[0])
		c.old = c.old[1:]
	}
	this := c.of[key]
	if this == nil {
		this = &call{at: now, busy: make(chan struct{}, 1)}
		c.of[key] = this
		c.old = append(c.old, key)
	}
	return this
}
