package embedded

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// errOverwhelmed says that a shape was given up before it was there.
var errOverwhelmed = errors.New("more was written to the table than can be kept while the snapshot is taken, please retry")

// maxFormer is how many former shapes a definition can have. The readers of the
// oldest start over when there would be another.
const maxFormer = 3

// reliefPause is how long nobody is asked again to make way when nobody could.
const reliefPause = time.Second

// makeRoom sees to it that there is room for another shape.
func (s *Server) makeRoom(now time.Time) error {
	if s.lack() == nil {
		return nil
	}
	s.relieve(now, someMargin)
	if err := s.lack(); err != nil {
		return err
	}
	return nil
}

func (s *Server) lack() *noRoomError {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cfg.lack(len(s.shapes)+len(s.former), &s.ledger)
}

// relieve gives up shapes that nobody reads, those that were read longest ago
// first, until every bound has a margin to spare; then, if the memory is still
// full, it cuts the longest logs of the others short.
func (s *Server) relieve(now time.Time, margin int64) {
	s.relief.Lock()
	defer s.relief.Unlock()
	if now.Before(s.noRelief) {
		return
	}
	candidates := s.candidates(now)
	for _, c := range candidates {
		if c.idle && c.helps(s.tight(margin)) {
			s.retireIdle(c.shape, now)
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.log, a.log) })
	for _, c := range candidates {
		if s.ledger.memory.Load() < s.cfg.MemoryBytes {
			break
		}
		if !c.idle {
			s.cut(c.shape, 0, now)
		}
	}
	if s.lack() != nil {
		s.noRelief = now.Add(reliefPause)
	}
}

// candidate is a shape that might make way, as it was a moment ago.
type candidate struct {
	shape        *shape
	idle         bool
	last         time.Time
	log          int64
	memory, disk int64
}

// candidates lists all shapes, those read longest ago first.
func (s *Server) candidates(now time.Time) []candidate {
	var out []candidate
	for _, sh := range s.all() {
		sh.mu.Lock()
		c := candidate{shape: sh, idle: sh.use.idle(now), last: sh.use.last, log: sh.log.size}
		c.memory, c.disk = sh.spool.footprint()
		c.memory += sh.charged
		sh.mu.Unlock()
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int { return a.last.Compare(b.last) })
	return out
}

// helps says whether giving up a shape frees what there is too little of.
func (c *candidate) helps(t tight) bool {
	return t.shapes || t.memory && c.memory > 0 || (t.files || t.disk) && c.disk > 0
}

func (s *Server) tight(margin int64) tight {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cfg.tight(len(s.shapes)+len(s.former), &s.ledger, margin)
}

// shorten deals with a shape whose log has outgrown its share: it is given up if
// nobody reads it, else its log is cut to half of what it may take up.
func (s *Server) shorten(sh *shape, now time.Time) {
	if !s.retireIdle(sh, now) {
		s.cut(sh, sh.share/2, now)
	}
}

// cut cuts a shape's log short and puts the shape aside: its readers go on, a
// newcomer gets another shape of the same definition.
func (s *Server) cut(sh *shape, target int64, now time.Time) {
	s.mu.Lock()
	done := sh.shorten(target, now)
	var oldest *shape
	if done && s.shapes[sh.identity] == sh {
		delete(s.shapes, sh.identity)
		s.former[sh.handle] = sh
		oldest = s.supernumerary(sh.identity)
	}
	s.mu.Unlock()
	if oldest != nil {
		s.retire(oldest, nil)
	}
}

// supernumerary is the oldest former shape of a definition, if it has too many.
// s.mu is held.
func (s *Server) supernumerary(identity string) (oldest *shape) {
	n := 0
	for _, sh := range s.former {
		if sh.identity != identity {
			continue
		}
		if n++; oldest == nil || sh.born < oldest.born {
			oldest = sh
		}
	}
	if n <= maxFormer {
		return nil
	}
	return oldest
}
