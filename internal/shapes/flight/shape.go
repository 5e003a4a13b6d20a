package flight

import "github.com/realtime-gw/realtime-gw/internal/shapes"

// shape is what a Group knows of a definition: who is asking about it, and what is
// remembered. It is forgotten Config.Keep after nobody asks any more. All of it is
// under Group.mu.
type shape struct {
	query       string
	environment *environment
	flights     []*flight // in the air; seldom more than one
	reads       map[readKey]*sharedRead
	alone       int // reads that are not shared, and bodies that are streamed
	ring        ring
	idle        turn[*shape] // in Group.idle while nobody asks
}

// shape gives the shape of a definition about which somebody asks at pos, and makes
// it known if its environment may have another. Who calls it calls settle then.
func (g *Group) shape(def *shapes.Definition, pos shapes.Position) (*shape, error) {
	if s := g.shapes[def.Query()]; s != nil {
		return s, nil
	}
	e := g.environments[def.Environment()]
	if e == nil {
		e = &environment{id: def.Environment()}
	}
	if err := e.mayDefine(&g.config.PerEnvironment, g.config.Keep, begins(pos)); err != nil {
		g.limited.Add(1)
		return nil, err
	}
	g.environments[e.id] = e
	s := &shape{query: def.Query(), environment: e}
	s.idle.item = s
	g.shapes[s.query] = s
	return s, nil
}

// asked is shape, unless the Group was closed.
func (g *Group) asked(def *shapes.Definition, pos shapes.Position) (*shape, error) {
	if g.ctx.Err() != nil {
		return nil, errClosed
	}
	return g.shape(def, pos)
}

// settle takes in that somebody has begun or ceased to ask about a shape.
func (g *Group) settle(s *shape) {
	if len(s.flights) == 0 && len(s.reads) == 0 && s.alone == 0 {
		g.idle.push(&s.idle)
	} else {
		g.idle.remove(&s.idle)
	}
}

// forget ends the memory of a shape, and of its environment if it was the last.
func (g *Group) forget(s *shape) {
	g.store.clear(s)
	delete(g.shapes, s.query)
	e := s.environment
	if e.shapes--; e.shapes == 0 {
		delete(g.environments, e.id)
	}
}

// call takes a call to the upstream from what the shape's environment may have.
func (g *Group) call(s *shape, pos shapes.Position) error {
	err := s.environment.mayCall(&g.config.PerEnvironment, begins(pos))
	if err != nil {
		g.limited.Add(1)
	}
	return err
}

// flight is the one in the air at pos, or nil.
func (s *shape) flight(pos shapes.Position) *flight {
	for _, f := range s.flights {
		if f.pos == pos {
			return f
		}
	}
	return nil
}

// begins says that a call at pos names no handle, so that the upstream may have to
// make a shape for it.
func begins(pos shapes.Position) bool { return pos.Handle == "" || pos.Offset.Kind == shapes.BeforeAll }
