package merge

import "github.com/realtime-gw/realtime-gw/internal/shapes"

// Step is the whole of the merge's judgement: a state and an event give the
// next state and what to do. It is pure. An event that the state cannot have
// changes nothing.
func Step(s State, e Event) (State, []Effect) {
	effects := s.step(e)
	return s, effects
}

// step is Step in place. A thousand who are told the same take it in on small stacks, and
// those of all would grow if each of the functions below had a copy.
func (s *State) step(e Event) []Effect {
	switch {
	case s.Phase.Over():
		return nil
	case e.Kind == Begin:
		if s.Phase == Idle {
			return s.begin()
		}
		return nil
	case s.Phase == Idle:
		return nil
	}
	switch e.Kind {
	case Whole, Large, News, Rotated, Failed:
		return s.heard(e)
	case Gained:
		return s.gained(e.Side)
	case Settled:
		if s.Phase == Settling {
			s.finish()
		}
	case Expired:
		s.expire()
	}
	return nil
}

// begin asks every opened side: a client that is not live wants what is there
// now; for one that is, a side that is behind is read and the others are waited
// for.
func (s *State) begin() []Effect {
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
	return effects
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
func (s *State) gained(i int) []Effect {
	side := &s.Sides[i]
	if s.Phase != Holding || side.Opened {
		return nil
	}
	side.Opened, side.Joined = true, true
	return []Effect{ask(side, i, Read)}
}

// part closes a side again that joined and was not heard: the client knows nothing
// of it, and the next request opens it anew.
func (s *State) part() {
	for i := range s.Sides {
		if side := &s.Sides[i]; side.Joined && !side.Heard {
			side.Opened = false
		}
	}
}

// heard takes in what became of a side's read or wait.
func (s *State) heard(e Event) []Effect {
	side := &s.Sides[e.Side]
	wanted := Reading
	if e.Kind == News {
		wanted = Waiting
	}
	if side.Activity == Resting || (e.Kind == Whole || e.Kind == Large || e.Kind == News) && side.Activity != wanted {
		return nil
	}
	readOn := side.Activity == Reading && side.Heard
	side.Activity = Resting
	switch e.Kind {
	case Rotated:
		s.Phase = Refetch // one side's rotation ends the composite
		return nil
	case Failed:
		// The side keeps its place. What is to be told goes out without it, and
		// one that was being read on has answered; but an answer that is not
		// live needs every side, for its schema too.
		if readOn || s.Live && s.tells() {
			return s.proceed(e)
		}
		s.Phase = Unavailable
		return nil
	case Large:
		s.Large = true
		e.UpToDate = false
	}
	side.Heard = true
	side.Advanced = side.Position != e.Next
	side.Moved = side.Moved || side.Advanced
	side.Position, side.UpToDate = e.Next, e.UpToDate
	s.Rows = s.Rows || e.Rows
	return s.proceed(e)
}

// settle is what everybody does whom news reaches, so it is made once.
var settle = []Effect{{Kind: Settle}}

// proceed decides what the side does next, and whether the request is ready.
func (s *State) proceed(e Event) []Effect {
	side := &s.Sides[e.Side]
	if e.Kind == Whole && !side.UpToDate && side.Advanced && !s.Large {
		switch {
		case s.Live && !s.inHand():
			return []Effect{ask(side, e.Side, Read)}
		case !side.Followed:
			side.Followed = true
			if s.Live {
				s.Phase = Completing
			}
			return []Effect{ask(side, e.Side, ReadOn)}
		}
	}
	reading := s.any(Reading)
	switch {
	case !reading && (!s.Live || !s.tells() && !s.UpToDate()):
		s.finish()
	case s.Live && !s.tells() && side.UpToDate:
		return []Effect{ask(side, e.Side, Wait)}
	case reading && s.Live && s.tells():
		s.Phase = Completing
	case reading || s.Phase == Settling && s.any(Waiting):
	case s.any(Waiting):
		s.Phase = Settling
		return settle
	default:
		s.finish()
	}
	return nil
}

// expire ends a request that was held long enough: with what is in hand, or
// with the word that nothing happened, if that is known of every side.
func (s *State) expire() {
	s.part()
	if s.Live && (s.inHand() || s.UpToDate() || s.moved()) {
		s.finish()
		return
	}
	s.Phase = Unavailable
}

// finish answers, but for an answer that is neither up to date nor moves the
// client: it would ask the same again at once, and for ever.
func (s *State) finish() {
	s.part()
	s.Phase = Answered
	if !s.UpToDate() && !s.moved() {
		s.Phase = Unavailable
	}
}
