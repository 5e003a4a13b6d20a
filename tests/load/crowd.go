package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// joining is how many clients of a crowd join at the same time.
const joining = 64

// crowd is clients that wait for news, each in a goroutine of its own.
type crowd struct {
	ctx    context.Context
	leave  context.CancelCauseFunc
	done   sync.WaitGroup
	size   int
	asking atomic.Int64          // live requests that are out
	watch  atomic.Pointer[watch] // nil: no commit is being waited for
	joined time.Duration         // what joining took

	tolerant bool // who is refused comes again when it was told to
	mu       sync.Mutex
	refusals map[int]int // by status
}

// watch is who has heard of a commit.
type watch struct {
	number int
	left   atomic.Int64 // who have yet to hear of it
	at     []time.Time  // when each client had the whole answer; written by it
	done   chan struct{}
}

var errLeft = errors.New("the crowd was sent away")

func newCrowd(ctx context.Context, n int) *crowd {
	c := &crowd{size: n, refusals: map[int]int{}}
	c.ctx, c.leave = context.WithCancelCause(ctx)
	return c
}

// gather has n clients join, and returns when all of them wait. Nobody may be refused.
func gather(ctx context.Context, n int, of func(i int) target) (*crowd, error) {
	c := newCrowd(ctx, n)
	clients := make([]*client, n)
	began := time.Now()
	g, join := errgroup.WithContext(c.ctx)
	g.SetLimit(joining)
	for i := range clients {
		clients[i] = c.client(of(i), i)
		g.Go(func() error {
			if err := join.Err(); err != nil {
				return err
			}
			_, err := clients[i].catchUp(c.ctx) // the connection outlives joining
			return err
		})
	}
	if err := g.Wait(); err != nil {
		c.disperse()
		return nil, err
	}
	for i, client := range clients {
		c.done.Go(func() { c.follow(client, i) })
	}
	if err := c.all(); err != nil {
		c.disperse()
		return nil, err
	}
	c.joined = time.Since(began)
	return c, nil
}

// add has one more client join, and follow.
func (c *crowd) add(t target, i int) error {
	client := c.client(t, i)
	if _, err := client.catchUp(c.ctx); err != nil {
		client.close()
		return err
	}
	c.done.Go(func() { c.follow(client, i) })
	return nil
}

// client is one of the crowd.
func (c *crowd) client(t target, i int) *client {
	made := newClient(t)
	// A loopback address has 28,000 ports to connect from, and keeps them for a
	// minute: eight of them are enough.
	made.source = net.IPv4(127, 0, 0, byte(1+i%8))
	return made
}

// admit has n clients come, so many at the same time, who come again where they are refused,
// and waits for nobody.
func admit(ctx context.Context, n, atOnce int, of func(i int) target) *crowd {
	c := newCrowd(ctx, n)
	c.tolerant = true
	turns := make(chan struct{}, atOnce) // for the first try of each
	for i := range n {
		client := c.client(of(i), i)
		c.done.Go(func() {
			turns <- struct{}{}
			_, err := client.catchUp(c.ctx)
			<-turns
			for err != nil && c.bears(err) {
				_, err = client.catchUp(c.ctx)
			}
			if err != nil {
				client.close()
				c.leave(err)
				return
			}
			c.follow(client, i)
		})
	}
	return c
}

// bears says whether one who met with an error goes on, and has it wait before that as
// long as it was told to.
func (c *crowd) bears(err error) bool {
	refused, ok := errors.AsType[*refusal](err)
	if !ok || !c.tolerant || refused.status != http.StatusTooManyRequests && refused.status != http.StatusServiceUnavailable {
		return false
	}
	c.count(err)
	select {
	case <-time.After(max(refused.retryAfter, time.Second)):
		return true
	case <-c.ctx.Done():
		return false
	}
}

// count notes a refusal.
func (c *crowd) count(err error) {
	if refused, ok := errors.AsType[*refusal](err); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refusals[refused.status]++
	}
}

// refused is how often anybody was refused so far, by status.
func (c *crowd) refused() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.refusals)
}

// all returns when all clients have a live request out.
func (c *crowd) all() error {
	return c.until(func() bool { return c.asking.Load() == int64(c.size) })
}

// follow asks for news again and again.
func (c *crowd) follow(client *client, i int) {
	defer client.close()
	for {
		c.asking.Add(1)
		_, err := client.ask(c.ctx, true)
		c.asking.Add(-1)
		if err != nil {
			if c.bears(err) {
				continue
			}
			c.leave(err)
			return
		}
		now := time.Now()
		if w := c.watch.Load(); w != nil && w.at[i].IsZero() && tells(client.body, w.number) {
			w.at[i] = now
			if w.left.Add(-1) == 0 {
				close(w.done)
			}
		}
	}
}

// disperse sends the clients away and returns when they are gone.
func (c *crowd) disperse() {
	c.leave(errLeft)
	c.done.Wait()
}

// until returns when something is so, which is looked at now and then.
func (c *crowd) until(so func() bool) error { return until(c.ctx, so) }

func until(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// hear makes a commit and returns when so many clients have heard of it: how long
// after it was sent each of them had the whole answer.
func (c *crowd) hear(many, number int, commit change) ([]time.Duration, error) {
	w := &watch{number: number, at: make([]time.Time, c.size), done: make(chan struct{})}
	w.left.Store(int64(many))
	c.watch.Store(w)
	defer c.watch.Store(nil)
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	sent, err := commit(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("%d of %d clients did not hear of a commit: %w", w.left.Load(), many, context.Cause(ctx))
	}
	var delays []time.Duration
	for _, at := range w.at {
		if !at.IsZero() {
			delays = append(delays, at.Sub(sent))
		}
	}
	return delays, nil
}

// mark begins the metadata that a commit writes; its number follows, in digits of one
// length, so that all answers are as long.
const mark = `"metadata":"commit `

// number writes a commit's.
func number(n int) string { return fmt.Sprintf("%08d", n) }

// tells says whether a body holds a commit. One that came twice is old.
func tells(body []byte, commit int) bool {
	for {
		_, rest, ok := bytes.Cut(body, []byte(mark))
		if !ok {
			return false
		}
		if digits, _, _ := bytes.Cut(rest, []byte(`"`)); len(digits) == len(number(0)) {
			if n, err := strconv.Atoi(string(digits)); err == nil && n == commit {
				return true
			}
		}
		body = rest
	}
}
