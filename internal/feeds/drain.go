package feeds

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// groups is how many groups held requests are answered in, one after another, when
// the process is about to end. A request is in a group from its beginning, so that
// to be answered alone costs it neither a timer nor a goroutine.
const groups = 256

// cuts end the holding of requests, a group at a time.
type cuts struct {
	channels [groups]chan struct{}
	begun    atomic.Uint64 // requests that were given a group
	soon     atomic.Int64  // a time.Duration: the most that is held now; 0: no drain

	mu     sync.Mutex
	closed int // groups that were answered
}

func newCuts() *cuts {
	c := &cuts{}
	for i := range c.channels {
		c.channels[i] = make(chan struct{})
	}
	return c
}

// one gives a request that begins what will end its holding. In a drain that is the
// last group: the others may have been answered already.
func (c *cuts) one() <-chan struct{} {
	if c.soon.Load() > 0 {
		return c.channels[groups-1]
	}
	return c.channels[c.begun.Add(1)%groups]
}

// upTo answers the first n groups.
func (c *cuts) upTo(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; c.closed < n; c.closed++ {
		close(c.channels[c.closed])
	}
}

// shortened is a hold as long as it may be now.
func (c *cuts) shortened(hold time.Duration) time.Duration {
	soon := c.soon.Load()
	if soon == 0 {
		return hold
	}
	return min(hold, time.Duration(float64(soon)*(0.85+0.3*rand.Float64())))
}

// Drain answers all held requests now, and further ones without holding them.
func (s *Service) Drain() { s.cuts.upTo(groups) }

// soonOf is what part of the time of a drain a request is held that comes during
// it. Its client may come back here until the load balancer has noticed, and should
// not do so in a loop.
const soonOf = 8

// DrainOver tells the clients of a process that is about to end to go elsewhere.
// Requests that are held now go on for as long as settle says, so that the load
// balancer has noticed when their clients come back; then they are answered evenly
// over a time. Requests that come meanwhile are held for an eighth of it at most.
// In the end, or when ctx ends, it does what Drain does, and returns.
func (s *Service) DrainOver(ctx context.Context, settle, over time.Duration) {
	defer s.Drain()
	s.cuts.soon.Store(int64(max(over/soonOf, 1)))
	begin := time.Now().Add(settle)
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for i := range groups {
		timer.Reset(time.Until(begin.Add(over * time.Duration(i+1) / groups)))
		select {
		case <-timer.C:
			s.cuts.upTo(i + 1)
		case <-ctx.Done():
			return
		}
	}
}
