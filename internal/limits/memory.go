package limits

import (
	"context"
	"sync"
)

// Memory is a Concurrency of this process. The zero value is ready to use. It
// remembers an environment only while a slot of it is taken.
type Memory struct {
	mu    sync.Mutex
	taken map[string]int // by environment; never zero
}

var _ Concurrency = (*Memory)(nil)

// Acquire implements Concurrency. It never waits, so ctx is not looked at.
func (m *Memory) Acquire(_ context.Context, environmentID string, limit int) (release func(), ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken[environmentID] >= limit {
		return nil, false
	}
	if m.taken == nil {
		m.taken = make(map[string]int)
	}
	m.taken[environmentID]++
	return sync.OnceFunc(func() { m.give(environmentID) }), true
}

func (m *Memory) give(environmentID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken[environmentID]--; m.taken[environmentID] == 0 {
		delete(m.taken, environmentID)
	}
}

// Taken is the number of slots of the environment that are taken now.
func (m *Memory) Taken(environmentID string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken[environmentID]
}

// Environments is the number of environments that hold a slot now.
func (m *Memory) Environments() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.taken)
}
