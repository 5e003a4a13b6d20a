package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"
)

// catalogTimeout is how long a request waits for the database before it gets a
// 503, as long as with Electric.
const catalogTimeout = 5 * time.Second

// resolve finds the shape of a definition, or makes it.
func (s *Server) resolve(ctx context.Context, d *definition) (*shape, error) {
	id := d.identity()
	s.mu.RLock()
	sh, index := s.shapes[id], s.tables[d.table]
	s.mu.RUnlock()
	if sh != nil {
		return sh, nil
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
	q, bad := bind(d, t)
	if bad != nil {
		return nil, bad
	}
	return s.create(id, q)
}

// create registers a new shape and starts its snapshot, in this order: from the
// registration on, the shape is told of every transaction that is read from the
// log.
func (s *Server) create(id string, q *query) (*shape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStopping
	}
	if sh := s.shapes[id]; sh != nil {
		return sh, nil
	}
	ctx, stop := context.WithCancel(s.ctx)
	sp := &spool{memoryBytes: s.cfg.SnapshotMemory, dir: s.cfg.TempDir}
	sh := newShape(s.newHandle(id), id, q, s.cfg.ChunkBytes, sp, stop)
	s.shapes[id] = sh
	s.tables[q.schema.table].add(sh)
	processed := s.processed.all()
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer stop()
		err := s.takeSnapshot(ctx, sh, processed)
		sh.written()
		switch {
		case err == nil:
		case errors.Is(err, errLayoutChanged), errors.Is(err, errRotateAtJoin), ctx.Err() != nil:
			s.retire(sh, nil)
		default:
			s.cfg.Logger.Warn().Err(err).Str("table", q.schema.table.Name).Msg("a snapshot failed")
			s.retire(sh, err)
		}
	}()
	return sh, nil
}

var errStopping = errors.New("the embedded shape server is stopping")

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
	if s.shapes[sh.identity] == sh {
		delete(s.shapes, sh.identity)
	}
	s.tables[sh.query.schema.table].remove(sh)
	s.mu.Unlock()
	sh.rotate(failure)
}

func (s *Server) rotateAll() {
	s.mu.RLock()
	all := make([]*shape, 0, len(s.shapes))
	for _, sh := range s.shapes {
		all = append(all, sh)
	}
	s.mu.RUnlock()
	for _, sh := range all {
		s.retire(sh, nil)
	}
}
