// Package limits bounds what one environment may hold at the same time.
//
// A subscription that waits for news takes a slot of its environment and gives
// it back when it is answered. Only live requests take one, and one each,
// however many upstream calls they cause: what a caller counts as a
// subscription is the caller's affair. What a client gets to read when no slot
// is left is too: this package only counts.
//
// Memory counts in this process: of several instances, each allows the whole
// limit.
//
// # Redis
//
// Redis counts for all instances together, and with the platform itself, whose
// protocol it speaks so that both can serve one environment during a
// switch-over: a sorted set tr:realtime:concurrency:<environment's id>, with a
// random UUID for each slot taken, at the time it was taken in milliseconds.
// A slot is taken by one script (see acquire): forget what is older than 300
// seconds, add, count, and take back what was one too many. It is given back by
// removing the UUID.
//
// The platform gives a slot back when the head of its answer is out; here it is
// kept while the request is held, and the head of a held answer is its end. A
// slot whose holder died counts for up to 300 seconds, and a request must not be
// held for longer than that. The times are those of the takers' clocks, so they
// have to agree to within less than that.
//
// A Redis that does not answer within 250 ms takes nobody down: the request goes
// on without a slot, is counted (Uncounted), and a warning says so, at most
// every ten seconds. Slots are given back behind the request's back, many in one
// round trip: an answer does not wait for Redis. What could not be given back is
// tried again, until it expires by itself.
package limits

import "context"

// DefaultLimit is the number of live subscriptions an environment may hold when
// nothing else is configured.
const DefaultLimit = 100_000

// Concurrency hands out slots. Implementations are safe for concurrent use.
type Concurrency interface {
	// Acquire takes a slot of the environment if fewer than limit are taken. A
	// limit below one takes none. When ok is true, release gives the slot back:
	// call it once the subscription has been answered; calling it again does
	// nothing. When ok is false, release is nil and the environment is full.
	//
	// ctx bounds the asking, not the holding. An implementation that cannot ask
	// says ok: a limiter that is down must not take every subscription down.
	Acquire(ctx context.Context, environmentID string, limit int) (release func(), ok bool)
}
