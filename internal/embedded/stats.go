package embedded

import (
	"context"
	"fmt"
)

// Stats is what a Server holds, and what became of its connection.
type Stats struct {
	Shapes      int   // those for newcomers, and former ones for their readers
	MemoryBytes int64 // of logs and of small snapshots
	FileBytes   int64 // of snapshots in files
	Files       int64
	Connects    uint64 // times that it has begun to follow the database
	Losses      uint64 // times that changes may have been lost, and all shapes were given up
}

// Stats is what the Server holds now.
func (s *Server) Stats() Stats {
	s.mu.RLock()
	shapes := len(s.shapes) + len(s.former)
	s.mu.RUnlock()
	return Stats{
		Shapes: shapes, MemoryBytes: s.ledger.memory.Load(), FileBytes: s.ledger.disk.Load(), Files: s.ledger.files.Load(),
		Connects: s.connects.Load(), Losses: s.losses.Load(),
	}
}

// Lag is how far a Server is behind its database, in bytes of its log.
type Lag struct {
	// Unread was not read yet. A database that is quiet but for other tables says
	// only now and then that there was nothing in it.
	Unread int64
	// Retained is what Postgres keeps for the slot, read or not.
	Retained int64
}

// Lag asks the database.
func (s *Server) Lag(ctx context.Context) (Lag, error) {
	var lag Lag
	read := s.read.Load()
	err := s.pool.QueryRow(ctx, `SELECT (now.lsn - '0/0')::bigint, COALESCE(now.lsn - restart_lsn, 0)::bigint
		FROM pg_replication_slots, (SELECT pg_current_wal_lsn() AS lsn) AS now WHERE slot_name = $1`, s.cfg.Slot).Scan(&lag.Unread, &lag.Retained)
	if err != nil {
		return Lag{}, fmt.Errorf("ask how far the replication slot %q is behind: %w", s.cfg.Slot, err)
	}
	lag.Unread = max(lag.Unread-int64(read), 0)
	return lag, nil
}
