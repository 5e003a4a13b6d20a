package embedded

import (
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// use is who reads a shape: what decides whether it may go, and how much of its
// log. It knows no clock but the times it is given.
type use struct {
	keep    time.Duration             // for how long a reader who has gone is expected back
	readers map[*answer]shapes.Offset // requests being served, and from where each reads
	last    time.Time                 // when the last of those that have ended did

	// The least place to which a reader may come back is known for a window of
	// at least keep and the one before it: for keep at least, for less than
	// three times as long.
	since          time.Time
	least, earlier *shapes.Offset
}

func newUse(keep time.Duration, now time.Time) use {
	return use{keep: keep, readers: make(map[*answer]shapes.Offset), last: now, since: now}
}

// enter notes a request that reads from at.
func (u *use) enter(a *answer, at shapes.Offset) { u.readers[a] = at }

// leave notes that a request has ended. Its answer may have been lost on the way,
// so the reader may come back to where it read from.
func (u *use) leave(a *answer, now time.Time) {
	at, ok := u.readers[a]
	if !ok {
		return
	}
	delete(u.readers, a)
	u.last = now
	u.roll(now)
	if u.least == nil || at.Compare(*u.least) < 0 {
		u.least = &at
	}
}

func (u *use) roll(now time.Time) {
	switch d := now.Sub(u.since); {
	case d < u.keep:
		return
	case d < 2*u.keep:
		u.earlier = u.least
	default:
		u.earlier = nil
	}
	u.least, u.since = nil, now
}

// idle says whether nobody reads, and nobody is expected back.
func (u *use) idle(now time.Time) bool { return len(u.readers) == 0 && now.Sub(u.last) >= u.keep }

// needs says whether a reader may still ask for what follows at.
func (u *use) needs(at shapes.Offset, now time.Time) bool {
	u.roll(now)
	for _, o := range [2]*shapes.Offset{u.least, u.earlier} {
		if o != nil && o.Compare(at) < 0 {
			return true
		}
	}
	for _, o := range u.readers {
		if o.Compare(at) < 0 {
			return true
		}
	}
	return false
}
