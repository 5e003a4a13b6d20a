package claims

import (
	"context"
	"encoding/base64"
	"time"
)

// Claims hands out slots. Implementations are safe for concurrent use. An error
// says that it is not known who has a slot, never that somebody has it.
type Claims interface {
	// Claim takes a slot for an owner, for at most ttl, unless another has it.
	// The owner is a text that no other trigger has; claiming again with the same
	// one is no conflict.
	Claim(ctx context.Context, slot Slot, owner string, ttl time.Duration) (Answer, error)

	// Publish says in a slot that is still the owner's which run came of it, for
	// ttl. A slot that is another's by now, or nobody's, is left alone; ours says that
	// it was not so. Publishing the same run again is as good as the first time.
	Publish(ctx context.Context, slot Slot, owner, run string, ttl time.Duration) (ours bool, err error)

	// Release empties a slot that is still the owner's, so that the next may try.
	Release(ctx context.Context, slot Slot, owner string) error

	// Forget empties a slot in which this run is published: the run no longer has
	// the key. A slot that says something else is left alone.
	Forget(ctx context.Context, slot Slot, run string) error

	// Buffered is the run that the platform holds in its trigger buffer under a
	// key, and has not put into a table yet.
	Buffered(ctx context.Context, slot Slot) (b Buffered, ok bool, err error)

	// Reset frees a key: a run that is published in the slot is taken out, and a
	// buffered run loses the key. It says whether there was a buffered one. A slot
	// that somebody has claimed and not published is left alone: that trigger
	// comes after the reset.
	Reset(ctx context.Context, slot Slot) (buffered bool, err error)
}

// Slot is what can be claimed. Make one with ForKey or ForToken.
type Slot struct {
	claim  string // the key in Redis
	lookup string // that of the buffer; none for a token
}

// ForKey is the slot of an idempotency key of a task. Its name in Redis is the
// platform's own.
func ForKey(environmentID, task, key string) Slot {
	name := part(environmentID) + ":" + part(task) + ":" + part(key)
	return Slot{claim: "mollifier:claim:" + name, lookup: "mollifier:idempotency:" + name}
}

// ForToken is the slot of a one-time-use token, which belongs to no task.
func ForToken(token string) Slot { return Slot{claim: "realtime-gw:claim:token:" + part(token)} }

// part makes a text part of a name in which colons divide.
func part(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// State is what a slot is in.
type State uint8

// The states.
const (
	Claimed  State = iota + 1 // the caller has it: publish or release it
	Pending                   // another has it, and is at work
	Resolved                  // a run came of it
)

// Answer is what a Claim gives.
type Answer struct {
	State State
	Run   string // the friendly id, if Resolved
}

// Buffered is a run in the platform's trigger buffer.
type Buffered struct {
	Run       string     // its friendly id
	ExpiresAt *time.Time // when it loses its key; nil: never
}
