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

// question is what somebody asks about a definition.
type question struct {
	def *shapes.Definition
	key readKey
}

// admit makes the shapes of questions known that are not, and counts a call for each
// question. The questions are of one environment: if that may not have all of it, nothing
// is done. Who calls it calls settle for each shape then.
func (g *Group) admit(questions ...question) error {
	var n need
	for i, q := range questions {
		known := g.shapes[q.def.Query()] != nil
		for _, before := range questions[:i] {
			known = known || before.def.Query() == q.def.Query()
		}
		n.add(begins(q.key.pos), known)
	}
	id := questions[0].def.Environment()
	e := g.environments[id]
	if e == nil {
		e = &environment{id: id}
	}
	if err := e.take(n, &g.config.PerEnvironment, g.config.Keep); err != nil {
		g.limited.Add(1)
		return err
	}
	g.environments[id] = e
	for _, q := range questions {
		query := q.def.Query()
		if g.shapes[query] == nil {
			s := &shape{query: query, environment: e}
			s.idle.item = s
			g.shapes[query] = s
		}
	}
	return nil
}

// settle takes in that somebody has begun or ceased to ask about a shape.
func (g *Group) settle(s *shape) {
	if len(s.flights) == 0 && len(s.reads) == 0 && s.alone == 0 {
		g.idle.push(&s.idle)
	} else {
		g.idle.remove(&s.idle)
	}
}

// settled is settle for the shape of a definition, if it is known.
func (g *Group) settled(def *shapes.Definition) {
	if s := g.shapes[def.Query()]; s != nil {
		g.settle(s)
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
