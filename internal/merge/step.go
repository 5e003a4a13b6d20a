package merge

import "github.com/realtime-gw/realtime-gw/internal/shapes"

// Step is the whole of the merge's judgement: a state and an event give the
// next state and what to do. It is pure. An event that the state cannot have
// changes nothing.
func Step(s State, e Event) (State, []Effect) {
	switch {
	case s.Phase.Over():
		return s, nil
	case e.Kind == Begin:
		if s.Phase == Idle {
			return begin(s)
		}
		return s, nil
	case s.Phase == Idle:
		return s, nil
	}
	switch e.Kind {
	case Whole, Large, News, Rotated, Failed:
		return heard(s, e)
	case Gained:
		return gained(s, e.Side)
	case Settled:
		if s.Phase == Settling {
			return finish(s), nil
		}
	case Expired:
		return expire(s), nil
	}
	return s, nil
}

// begin asks every opened side: a client that is not live wants what is there
// now; for one that is, a side that is behind is read and the others are waited
// for.
func begin(s State) (State, []Effect) {
	s.Phase = Gathering
	if s.Live {
		s.Phase = Holding
	}
	s.Behind = !s.UpToDate()
	var effects []Effect
	for i := range s.Sides {
		side := &s.Sides[i]
		if !side.Opened {
			continue
		}
		if s.Live && side.UpToDate && side.Offset.Kind != shapes.BeforeAll {
			effects = append(effects, ask(side, i, Wait))
		} else {
			effects = append(effects, ask(side, i, Read))
		}
	}
	return s, effects
}

func ask(side *Side, i int, kind EffectKind) Effect {
	side.Activity = Reading
	if kind == Wait {
		side.Activity = Waiting
	}
	return Effect{kind, i}
}

// gained opens a side while the client is held: its rows come as inserts. In any
// other phase the client is about to come again, and the side is opened then.
func gained(s State, i int) (State, []Effect) {
	side := &s.Sides[i]
	if s.Phase != Holding || side.Opened {
		return s, nil
	}
	side.Opened, side.Joined = true, true
	return s, []Effect{ask(side, i, Read)}
}

// part closes a side again that joined and was not heard: the client knows nothing
// of it, and the next request opens it anew.
func part(s State) State {
	for i := range s.Sides {
		if side := &s.Sides[i]; side.Joined && !side.Heard {
			side.Opened = false
		}
	}
	return s
}

// heard takes in what became of a side's read or wait.
func heard(s State, e Event) (State, []Effect) {
	side := &s.Sides[e.Side]
	wanted := Reading
	if e.Kind == News {
		wanted = Waiting
	}
	if side.Activity == Resting || (e.Kind == Whole || e.Kind == Large || e.Kind == News) && side.Activity != wanted {
		return s, nil
	}
	readOn := side.Activity == Reading && side.Heard
	side.Activity = Resting
	switch e.Kind {
	case Rotated:
		s.Phase = Refetch // one side's rotation ends the composite
		return s, nil
	case Failed:
		// The side keeps its place. What is to be told goes out without it, and
		// one that was being read on has answered; but an answer that is not
		// live needs every side, for its schema too.
		if readOn || s.Live && s.tells() {
			return proceed(s, e)
		}
		s.Phase = Unavailable
		return s, nil
	case Large:
		s.Large = true
		e.UpToDate = false
	}
	side.Heard = true
	side.Advanced = side.Position != e.Next
	side.Moved = side.Moved || side.Advanced
	side.Position, side.UpToDate = e.Next, e.UpToDate
	s.Rows = s.Rows || e.Rows
	return proceed(s, e)
}

// settle is what everybody does whom news reaches, so it is made once.
var settle = []Effect{{Kind: Settle}}

// proceed decides what the side does next, and whether the request is ready.
func proceed(s State, e Event) (State, []Effect) {
	side := &s.Sides[e.Side]
	if e.Kind == Whole && !side.UpToDate && side.Advanced && !s.Large {
		switch {
		case s.Live && !s.inHand():
			return s, []Effect{ask(side, e.Side, Read)}
		case !side.Followed:
			side.Followed = true
			if s.Live {
				s.Phase = Completing
			}
			return s, []Effect{ask(side, e.Side, ReadOn)}
		}
	}
	reading := s.any(Reading)
	switch {
	case !reading && (!s.Live || !s.tells() && !s.UpToDate()):
		return finish(s), nil
	case s.Live && !s.tells() && side.UpToDate:
		return s, []Effect{ask(side, e.Side, Wait)}
	case reading && s.Live && s.tells():
		s.Phase = Completing
	case reading || s.Phase == Settling && s.any(Waiting):
	case s.any(Waiting):
		s.Phase = Settling
		return s, settle
	default:
		return finish(s), nil
	}
	return s, nil
}

// expire ends a request that was held long enough: with what is in hand, or
// with the word that nothing happened, if that is known of every side.
func expire(s State) State {
	s = part(s)
	if s.Live && (s.inHand() || s.UpToDate() || s.moved()) {
		return finish(s)
	}
	s.Phase = Unavailable
	return s
}

// finish answers, but for an answer that is neither up to date nor moves the
// client: it would ask the same again at once, and for ever.
func finish(s State) State {
	s = part(s)
	s.Phase = Answered
	if !s.UpToDate() && !s.moved() {
		s.Phase = Unavailable
	}
	return s
}
