package claims

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Memory is Claims of this process. The zero value is ready to use.
type Memory struct {
	mu    sync.Mutex
	slots map[string]held
	swept time.Time
}

var _ Claims = (*Memory)(nil)

// held is what a slot says, and until when.
type held struct {
	value   string // pending + the owner, or the run
	expires time.Time
}

// pending marks a slot without a run, as the platform marks it. No friendly id
// begins so.
const pending = "pending:"

// sweepEvery is how often slots are dropped that nobody asked for again.
const sweepEvery = 30 * time.Second

// Claim implements Claims.
func (m *Memory) Claim(_ context.Context, slot Slot, owner string, ttl time.Duration) (Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, taken := m.get(slot)
	switch {
	case !taken || value == pending+owner:
		m.set(slot, pending+owner, ttl)
		return Answer{State: Claimed}, nil
	case strings.HasPrefix(value, pending):
		return Answer{State: Pending}, nil
	}
	return Answer{State: Resolved, Run: value}, nil
}

// Publish implements Claims.
func (m *Memory) Publish(_ context.Context, slot Slot, owner, run string, ttl time.Duration) (ours bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, taken := m.get(slot)
	if ours = taken && (value == pending+owner || value == run); ours {
		m.set(slot, run, ttl)
	}
	return ours, nil
}

// Release implements Claims.
func (m *Memory) Release(_ context.Context, slot Slot, owner string) error {
	m.drop(slot, func(value string) bool { return value == pending+owner })
	return nil
}

// Forget implements Claims.
func (m *Memory) Forget(_ context.Context, slot Slot, run string) error {
	m.drop(slot, func(value string) bool { return value == run })
	return nil
}

// Buffered implements Claims: without Redis there is no buffer.
func (m *Memory) Buffered(context.Context, Slot) (Buffered, bool, error) {
	return Buffered{}, false, nil
}

// Reset implements Claims.
func (m *Memory) Reset(_ context.Context, slot Slot) (bool, error) {
	m.drop(slot, func(value string) bool { return !strings.HasPrefix(value, pending) })
	return false, nil
}

func (m *Memory) drop(slot Slot, when func(value string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, taken := m.get(slot); taken && when(value) {
		delete(m.slots, slot.claim)
	}
}

// get is what a slot says. m.mu is held.
func (m *Memory) get(slot Slot) (value string, taken bool) {
	h, ok := m.slots[slot.claim]
	if !ok || !time.Now().Before(h.expires) {
		return "", false
	}
	return h.value, true
}

// set fills a slot, and now and then drops those whose time is over. m.mu is held.
func (m *Memory) set(slot Slot, value string, ttl time.Duration) {
	now := time.Now()
	if m.slots == nil {
		m.slots = map[string]held{}
	}
	if now.Sub(m.swept) >= sweepEvery {
		m.swept = now
		for name, h := range m.slots {
			if !now.Before(h.expires) {
				delete(m.slots, name)
			}
		}
	}
	m.slots[slot.claim] = held{value, now.Add(ttl)}
}
