// Package limits bounds what one environment may hold at the same time.
//
// A subscription that waits for news takes a slot of its environment and gives
// it back when it is answered. Only live requests take one, and one each,
// however many upstream calls they cause: what a caller counts as a
// subscription is the caller's affair. What a client gets to read when no slot
// is left is too: this package only counts.
//
// Memory counts in this process. With several instances, each allows the whole
// limit; an implementation that shares its counts stands beside it, behind the
// same interface.
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
