package http1

import (
	"slices"
	"sync"
	"time"
)

// idle are the connections without a call: of each address those that came back last
// at the end, so that the first are the ones to go.
type idle struct {
	mu     sync.Mutex
	conns  map[string][]*conn
	timer  *time.Timer // runs while there are some, or did since it was set
	closes bool        // whatever comes back
}

// keep takes a connection that had a call.
func (t *Transport) keep(c *conn) {
	c.kept, c.since = true, time.Now()
	t.idle.mu.Lock()
	defer t.idle.mu.Unlock()
	all := t.idle.conns[c.address]
	if t.idle.closes || len(all) >= t.MaxIdlePerHost {
		c.hangUp()
		return
	}
	if t.idle.conns == nil {
		t.idle.conns = map[string][]*conn{}
	}
	t.idle.conns[c.address] = append(all, c)
	if t.idle.timer == nil {
		t.idle.timer = time.AfterFunc(t.IdleTimeout, t.expire)
	}
}

// take gives a connection that can be used, nil if there is none. Those that cannot
// are closed.
func (t *Transport) take(address string) *conn {
	for {
		c := t.last(address)
		if c == nil || c.fit() && time.Since(c.since) < t.IdleTimeout {
			return c
		}
		c.hangUp()
	}
}

func (t *Transport) last(address string) *conn {
	t.idle.mu.Lock()
	defer t.idle.mu.Unlock()
	t.idle.closes = false
	all := t.idle.conns[address]
	if len(all) == 0 {
		return nil
	}
	c := all[len(all)-1]
	all[len(all)-1] = nil
	t.idle.conns[address] = all[:len(all)-1]
	return c
}

// expire closes what has idled for too long, and sets the timer for what will have.
func (t *Transport) expire() {
	t.idle.mu.Lock()
	defer t.idle.mu.Unlock()
	if t.idle.timer == nil {
		return // all were closed in this moment
	}
	t.idle.timer = nil
	next := t.IdleTimeout
	for address, all := range t.idle.conns {
		late := 0
		for late < len(all) && time.Since(all[late].since) >= t.IdleTimeout {
			all[late].hangUp()
			late++
		}
		if late == len(all) {
			delete(t.idle.conns, address)
			continue
		}
		all = slices.Delete(all, 0, late)
		t.idle.conns[address] = all
		next = min(next, t.IdleTimeout-time.Since(all[0].since))
	}
	if len(t.idle.conns) > 0 {
		t.idle.timer = time.AfterFunc(next, t.expire)
	}
}

// CloseIdleConnections closes the connections without a call, and those that come
// back before the next call begins.
func (t *Transport) CloseIdleConnections() {
	t.idle.mu.Lock()
	defer t.idle.mu.Unlock()
	t.idle.closes = true
	for _, all := range t.idle.conns {
		for _, c := range all {
			c.hangUp()
		}
	}
	t.idle.conns = nil
	if t.idle.timer != nil {
		t.idle.timer.Stop()
		t.idle.timer = nil
	}
}
