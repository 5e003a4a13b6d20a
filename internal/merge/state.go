package merge

import "github.com/realtime-gw/realtime-gw/internal/shapes"

// Sides is the number of shapes that a feed can have.
const Sides = 2

// Phase is where one request stands.
type Phase uint8

// The phases. A request begins in Idle and ends in one of the last three.
const (
	Idle        Phase = iota
	Gathering         // not live: every side was asked
	Holding           // live: nothing is in hand
	Completing        // live: rows are in hand, and a side that is behind is being read
	Settling          // live: rows are in hand; what else is ready now is taken along
	Answered          // what is in hand goes out
	Refetch           // a side was rotated: the client has to start over
	Unavailable       // a side failed, and nothing is in hand
)

// Over says that a request has its outcome.
func (p Phase) Over() bool { return p >= Answered }

// Activity is what one side is doing for the request.
type Activity uint8

// The activities of a side.
const (
	Resting Activity = iota // nothing is out: not opened, or answered
	Reading                 // a read is out
	Waiting                 // a wait is out
)

// Side is one shape's part in a request.
type Side struct {
	shapes.Progress
	Activity Activity
	// Heard is set once the side has answered this request.
	Heard bool
	// Moved is set once Position is not the one the request came with.
	Moved bool
	// Advanced says that the side's last answer moved it.
	Advanced bool
	// Followed is set once the side was read on for what is in hand.
	Followed bool
	// Joined is set if the side was opened while the request was held.
	Joined bool
}

// State is everything that decides how a request goes on.
type State struct {
	Phase Phase
	Live  bool
	Sides [Sides]Side
	// Behind is set if the request came with a side that was not up to date: the
	// last answer could not say that nothing is missing.
	Behind bool
	// Rows is set once there is a row in hand.
	Rows bool
	// Large is set once a body is too large to hold: it will be streamed, and
	// nobody knows yet how it ends.
	Large bool
}

// UpToDate says whether the client may be told that nothing is missing: only if
// every side's last answer said so.
func (s *State) UpToDate() bool {
	for i := range s.Sides {
		if s.Sides[i].Opened && !s.Sides[i].UpToDate {
			return false
		}
	}
	return true
}

// inHand says that there is something to send.
func (s *State) inHand() bool { return s.Rows || s.Large }

// tells says that there is something to tell a client who waits: something to
// send, or that nothing is missing any more. Clients show a transaction when
// they are told that, so it must not wait for the next one.
func (s *State) tells() bool { return s.inHand() || s.Behind && s.UpToDate() }

func (s *State) moved() bool {
	for i := range s.Sides {
		if s.Sides[i].Moved {
			return true
		}
	}
	return false
}

func (s *State) any(a Activity) bool {
	for i := range s.Sides {
		if s.Sides[i].Activity == a {
			return true
		}
	}
	return false
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	Begin   EventKind = iota // the request arrived
	Whole                    // a read was answered, and its body is in hand
	Large                    // a read was answered, and its body is too large to hold
	News                     // a wait was answered with rows
	Rotated                  // a side's shape is gone
	Failed                   // a side cannot answer for a while
	Gained                   // a side that is not opened has rows by now
	Settled                  // nothing else is ready now
	Expired                  // the request has been held long enough
)

// Event is something that happened. Side is the side it happened to; Next,
// UpToDate and Rows describe an answer.
type Event struct {
	Kind     EventKind
	Side     int
	Next     shapes.Position
	UpToDate bool
	Rows     bool
}

// EffectKind says what to do.
type EffectKind uint8

// The effects.
const (
	Read   EffectKind = iota // read the side from its position
	ReadOn                   // read on if that can be had now: what is in hand does not wait
	Wait                     // wait at the side's position
	Settle                   // report what is ready at this moment, then Settled
)

// Effect is something to do.
type Effect struct {
	Kind EffectKind
	Side int
}
