package memo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a Memo.
type Config struct {
	// Entries bounds how many values are remembered, and how many absences.
	// Required, one or more.
	Entries int

	// Value is how long a value is remembered. Required.
	Value time.Duration

	// Absence is how long an absence is remembered. Zero: not at all.
	Absence time.Duration

	// IsAbsence says which errors are absences. It must not say so of a
	// question that failed. Required with Absence.
	IsAbsence func(error) bool

	// LoadTimeout bounds a question. Default 5 s.
	LoadTimeout time.Duration
}

// Memo remembers what a loader answered for a key. It is safe for concurrent
// use. Values are shared by all who get them: they must not be changed.
type Memo[K comparable, V any] struct {
	config Config

	hits, misses atomic.Uint64

	mu       sync.Mutex
	values   *shelf[K, V]
	absences *shelf[K, V]
	loads    map[K]*load[V]
}

// load is a question under way. Its answer may be read once done is closed.
type load[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// New makes a Memo that knows nothing. It panics for a Config that could
// remember nothing, because that is a mistake in the program.
func New[K comparable, V any](c Config) *Memo[K, V] {
	if c.Entries < 1 || c.Value <= 0 || c.Absence > 0 && c.IsAbsence == nil {
		panic("memo: Config needs Entries, Value, and IsAbsence with Absence")
	}
	if c.LoadTimeout <= 0 {
		c.LoadTimeout = 5 * time.Second
	}
	return &Memo[K, V]{
		config: c, values: newShelf[K, V](c.Entries), absences: newShelf[K, V](c.Entries), loads: map[K]*load[V]{},
	}
}

// Get gives what is remembered for the key, or else what ask answers. ctx
// bounds the waiting of this caller; what ask gets has its values, but its own
// end. The error is ask's, remembered or not, or ctx's.
func (m *Memo[K, V]) Get(ctx context.Context, key K, ask func(context.Context, K) (V, error)) (V, error) {
	known, l := m.lookUp(ctx, key, ask)
	if known != nil {
		m.hits.Add(1)
		return known.value, known.err
	}
	m.misses.Add(1)
	select {
	case <-l.done:
		return l.value, l.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// Known gives the value that is remembered for the key, if one is. It asks nothing.
func (m *Memo[K, V]) Known(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.values.get(key, time.Now())
	if known == nil {
		var none V
		return none, false
	}
	m.hits.Add(1)
	return known.value, true
}

// lookUp gives what is known of a key, or else the question for it.
func (m *Memo[K, V]) lookUp(ctx context.Context, key K, ask func(context.Context, K) (V, error)) (*answer[K, V], *load[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if known := m.values.get(key, now); known != nil {
		return known, nil
	}
	if known := m.absences.get(key, now); known != nil {
		return known, nil
	}
	l, under := m.loads[key]
	if !under {
		l = &load[V]{done: make(chan struct{})}
		m.loads[key] = l
		go m.run(context.WithoutCancel(ctx), key, l, now, ask)
	}
	return nil, l
}

func (m *Memo[K, V]) run(ctx context.Context, key K, l *load[V], asked time.Time, ask func(context.Context, K) (V, error)) {
	ctx, cancel := context.WithTimeout(ctx, m.config.LoadTimeout)
	defer cancel()
	l.value, l.err = ask(ctx, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.loads, key)
	switch {
	case l.err == nil:
		m.values.put(&answer[K, V]{key, l.value, nil, asked.Add(m.config.Value)})
	case m.config.Absence > 0 && m.config.IsAbsence(l.err):
		m.absences.put(&answer[K, V]{key, l.value, l.err, asked.Add(m.config.Absence)})
	}
	close(l.done)
}

// Counts is how often a Memo was asked.
type Counts struct {
	Hits   uint64 // answered from memory
	Misses uint64 // that had to wait for a question, their own or another's
}

// Counts is how often it was asked so far.
func (m *Memo[K, V]) Counts() Counts { return Counts{m.hits.Load(), m.misses.Load()} }

// Len is the number of values and absences that are held now, those included
// that are too old and were not asked for since.
func (m *Memo[K, V]) Len() (values, absences int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values.len(), m.absences.len()
}
