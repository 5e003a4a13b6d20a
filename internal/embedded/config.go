package embedded

import (
	"github.com/rs/zerolog"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// Config says what a Server serves.
type Config struct {
	// DatabaseURL is a libpq connection string or URL. Its role needs
	// REPLICATION and must own the tables. Required.
	DatabaseURL string
	// Slot names the replication slot, the publication and the lock that keeps a
	// second instance away. Required.
	Slot string
	// Tables are the tables that shapes may be asked of; each needs REPLICA
	// IDENTITY FULL. None means public."TaskRun" and public.task_run_v2.
	Tables []replication.Table
	// ChunkBytes is the size at which a chunk of a snapshot or of a log ends,
	// with the message that reaches it. 0 means 10 MiB, as Electric's
	// ELECTRIC_SHAPE_CHUNK_BYTES_THRESHOLD.
	ChunkBytes int
	// LongPoll is how long a live request is held without news. 0 means 20 s.
	LongPoll time.Duration
	// SnapshotConns is how many snapshots are read from Postgres at a time.
	// 0 means 8.
	SnapshotConns int
	// SnapshotMemory is up to which size in bytes a snapshot stays in memory;
	// a larger one goes to an unlinked temporary file. 0 means 64 KiB.
	SnapshotMemory int
	// TempDir is where that file is made. "" means the system's own.
	TempDir string
	// Logger gets lost connections and failed snapshots, never rows or values.
	// The zero value is silent.
	Logger zerolog.Logger
}

func (c Config) withDefaults() Config {
	if len(c.Tables) == 0 {
		c.Tables = []replication.Table{{Schema: "public", Name: "TaskRun"}, {Schema: "public", Name: "task_run_v2"}}
	}
	if c.ChunkBytes <= 0 {
		c.ChunkBytes = 10 << 20
	}
	if c.LongPoll <= 0 {
		c.LongPoll = 20 * time.Second
	}
	if c.SnapshotConns <= 0 {
		c.SnapshotConns = 8
	}
	if c.SnapshotMemory <= 0 {
		c.SnapshotMemory = 64 << 10
	}
	return c
}
