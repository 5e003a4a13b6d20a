package limits

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// mostAtOnce is how many slots one round trip gives back.
	mostAtOnce = 1000
	// mostWaiting bounds what waits to be given back while Redis is down. Those
	// beyond it expire by themselves.
	mostWaiting = 100_000
	// returnWait bounds a round trip, and is the pause after one that failed.
	returnWait = time.Second
)

// slot is one that was taken.
type slot struct {
	key, member string
	expires     time.Time // by itself, in Redis
}

// returns gives slots back, one round trip at a time, behind the backs of those
// who release them.
type returns struct {
	client *redis.Client
	now    func() time.Time

	mu      sync.Mutex
	waiting []slot

	wake   chan struct{} // of capacity 1: there is something to do
	cancel context.CancelFunc
	done   chan struct{}
}

func newReturns(client *redis.Client, now func() time.Time) *returns {
	ctx, cancel := context.WithCancel(context.Background())
	r := &returns{client: client, now: now, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	go r.run(ctx)
	return r
}

func (r *returns) add(s slot) {
	r.mu.Lock()
	if len(r.waiting) < mostWaiting {
		r.waiting = append(r.waiting, s)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (r *returns) run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		for r.some(ctx) != nil { // what is left waits for the next try
			select {
			case <-time.After(returnWait):
			case <-ctx.Done():
				return
			}
		}
	}
}

// some gives back what waits, all of it unless Redis fails.
func (r *returns) some(ctx context.Context) error {
	for {
		batch := r.take()
		if len(batch) == 0 {
			return nil
		}
		if err := r.give(ctx, batch); err != nil {
			r.putBack(batch)
			return err
		}
	}
}

// take gives the next slots, without those that have expired.
func (r *returns) take() []slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.waiting = slices.DeleteFunc(r.waiting, func(s slot) bool { return !now.Before(s.expires) })
	n := min(len(r.waiting), mostAtOnce)
	batch := slices.Clone(r.waiting[:n])
	r.waiting = slices.Delete(r.waiting, 0, n)
	return batch
}

func (r *returns) putBack(batch []slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.Insert(r.waiting, 0, batch...)
}

func (r *returns) give(ctx context.Context, batch []slot) error {
	ctx, cancel := context.WithTimeout(ctx, returnWait)
	defer cancel()
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, s := range batch {
			p.ZRem(ctx, s.key, s.member)
		}
		return nil
	})
	var reply redis.Error
	if errors.As(err, &reply) {
		return nil // it answered, and would answer the same again
	}
	return err
}

// close ends the work and gives back what still waits, until ctx ends.
func (r *returns) close(ctx context.Context) error {
	r.cancel()
	<-r.done
	if err := r.some(ctx); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return fmt.Errorf("limits: slots that were not given back and now expire by themselves: %d: %w", len(r.waiting), err)
	}
	return nil
}
