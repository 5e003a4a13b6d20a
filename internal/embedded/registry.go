package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"
)

// catalogTimeout is how long a request waits for the database before it gets a
// 503, as long as with Electric.
const catalogTimeout = 5 * time.Second

// resolve finds the shape of a definition, or makes it. A former one is only
// found by whoever has its handle.
func (s *Server) resolve(ctx context.Context, d *definition, handle string) (*shape, error) {
	id := d.identity()
	s.mu.RLock()
	sh, former, index := s.shapes[id], s.former[handle], s.tables[d.table]
	s.mu.RUnlock()
	if former != nil && former.identity == id {
		return former, nil
	}
	if sh != nil {
		return sh, nil
	}
	if err := s.makeRoom(s.hooks.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, catalogTimeout)
	defer cancel()
	t, err := loadTable(ctx, s.pool, d.table)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, &requestError{"table", fmt.Sprintf(`Table "%s"."%s" does not exist. If the table name contains capitals or special characters you must quote it.`, d.table.Schema, d.table.Name)}
	case index == nil:
		return nil, &requestError{"table", fmt.Sprintf(`Table "%s"."%s" is not served by the embedded shape server`, d.table.Schema, d.table.Name)}
	}
	q, bad := bind(d, s.shared(index, t))
	if bad != nil {
		return nil, bad
	}
	return s.create(id, q)
}

// shared is the layout itself, or one that other shapes have and that is the same:
// it is most of what a shape takes up.
func (s *Server) shared(x *tableIndex, t *tableSchema) *tableSchema {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := x.schema; last != nil && last.oid == t.oid && slices.Equal(last.columns, t.columns) {
		return last
	}
	x.schema = t
	return t
}

// create makes a new shape and starts its snapshot.
func (s *Server) create(id string, q *query) (*shape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStopping
	}
	if sh := s.shapes[id]; sh != nil {
		return sh, nil
	}
	if full := s.cfg.lack(len(s.shapes)+len(s.former), &s.ledger); full != nil {
		return nil, full
	}
	ctx, stop := context.WithCancel(s.ctx)
	sh := newShape(s.newHandle(id), id, q, &s.cfg, &s.ledger, s.hooks.now(), stop)
	sh.born = s.lastMicro
	s.shapes[id] = sh
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer stop()
		err := s.takeSnapshot(ctx, sh)
		sh.written()
		var full *noRoomError
		switch {
		case err == nil:
		case errors.Is(err, errLayoutChanged), errors.Is(err, errRotated), ctx.Err() != nil:
			s.retire(sh, nil)
		case errors.As(err, &full):
			s.retire(sh, full)
			s.relieve(s.hooks.now(), coarseMargin) // for whoever asks again
		default:
			s.cfg.Logger.Warn().Err(err).Str("table", q.schema.table.Name).Msg("a snapshot failed")
			s.retire(sh, &snapshotError{err})
		}
	}()
	return sh, nil
}

// snapshotError is a snapshot that could not be taken.
type snapshotError struct{ cause error }

func (e *snapshotError) Error() string { return "take a snapshot: " + e.cause.Error() }
func (e *snapshotError) Unwrap() error { return e.cause }

// register has a shape told of every change that is read from the log from now
// on, and returns the transactions that were read before, that of the moment
// among them. The shape waits for a connection first: what is kept aside for the
// many that wait would have no bound.
func (s *Server) register(sh *shape) (processed []uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shapes[sh.identity] != sh {
		return nil, errRotated
	}
	s.tables[sh.query.schema.table].add(sh)
	return s.processed.all(), nil
}

var (
	errStopping = errors.New("the embedded shape server is stopping")
	errEnded    = errors.New("the database is no longer followed")
)

// newHandle makes a handle in Electric's form. The second number grows with
// every handle, so that none is given twice. s.mu is held.
func (s *Server) newHandle(identity string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(identity))
	s.lastMicro = max(s.lastMicro+1, time.Now().UnixMicro())
	const hashRange = 1 << 27 // that of Erlang's phash2, which Electric uses
	return strconv.FormatUint(uint64(h.Sum32()%hashRange), 10) + "-" + strconv.FormatInt(s.lastMicro, 10)
}

// retire takes a shape out of service. Its readers start over.
func (s *Server) retire(sh *shape, failure error) {
	s.mu.Lock()
	s.unlist(sh)
	s.mu.Unlock()
	sh.rotate(failure)
}

// retireIdle does the same if nobody reads the shape, and says so.
func (s *Server) retireIdle(sh *shape, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sh.rotateIdle(now) {
		return false
	}
	s.unlist(sh)
	return true
}

// unlist makes a shape unknown. s.mu is held.
func (s *Server) unlist(sh *shape) {
	if s.shapes[sh.identity] == sh {
		delete(s.shapes, sh.identity)
	}
	delete(s.former, sh.handle)
	s.tables[sh.query.schema.table].remove(sh)
}

func (s *Server) rotateAll() {
	for _, sh := range s.all() {
		s.retire(sh, nil)
	}
}

func (s *Server) all() []*shape {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*shape, 0, len(s.shapes)+len(s.former))
	for _, of := range [2]map[string]*shape{s.shapes, s.former} {
		for _, sh := range of {
			out = append(out, sh)
		}
	}
	return out
}
