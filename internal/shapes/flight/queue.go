package flight

import "time"

// queue holds what is given up after a while, the longest waiting first. All wait
// equally long, so there is one timer for all of them, and no allocation for any.
// It is under the lock of its Group.
type queue[T any] struct {
	after  time.Duration
	expire func(T) // is called without the item in the queue
	ends   turn[T]
	timer  *time.Timer // nil: not armed
	fire   func()      // takes the lock and calls run
	over   bool        // nothing is given up any more
}

// turn is an item's place in a queue.
type turn[T any] struct {
	before, behind *turn[T] // nil: it is in none
	due            time.Time
	item           T
}

func newQueue[T any](after time.Duration, expire func(T), fire func()) *queue[T] {
	q := &queue[T]{after: after, expire: expire, fire: fire}
	q.ends.before, q.ends.behind = &q.ends, &q.ends
	return q
}

// push puts an item at the end, from wherever it was.
func (q *queue[T]) push(p *turn[T]) {
	q.remove(p)
	if q.after <= 0 {
		q.expire(p.item)
		return
	}
	p.due = time.Now().Add(q.after)
	p.before, p.behind = q.ends.before, &q.ends
	p.before.behind, p.behind.before = p, p
	if q.timer == nil && !q.over {
		q.timer = time.AfterFunc(q.after, q.fire)
	}
}

// remove takes an item out, if it is in.
func (q *queue[T]) remove(p *turn[T]) {
	if p.behind == nil {
		return
	}
	p.before.behind, p.behind.before = p.behind, p.before
	p.before, p.behind = nil, nil
}

// run gives up what is due, and sets the timer for what is not: it may have been set
// for an item that is not in the queue any more.
func (q *queue[T]) run() {
	if q.timer = nil; q.over {
		return
	}
	now := time.Now()
	for q.ends.behind != &q.ends {
		first := q.ends.behind
		if wait := first.due.Sub(now); wait > 0 {
			q.timer = time.AfterFunc(wait, q.fire)
			return
		}
		q.remove(first)
		q.expire(first.item)
	}
}

// stop ends the timer, for good.
func (q *queue[T]) stop() {
	q.over = true
	if q.timer != nil {
		q.timer.Stop()
	}
}
