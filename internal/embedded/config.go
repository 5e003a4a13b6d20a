package embedded

import (
	"time"

	"github.com/rs/zerolog"

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
	// a larger one goes to an unlinked temporary file. 0 means 16 KiB.
	SnapshotMemory int
	// MaxShapes is how many shapes there can be. 0 means 20,000.
	MaxShapes int
	// MemoryBytes bounds what all logs and the snapshots in memory take up
	// together. Half of it bounds what one transaction may add to one shape.
	// 0 means 256 MiB.
	MemoryBytes int64
	// ShapeBytes is one shape's share of that, above which its log is cut short
	// or the shape given up. 0 means an eighth of MemoryBytes.
	ShapeBytes int64
	// MaxFiles is how many snapshots can be in files, each of which is an open
	// file descriptor. 0 means 1,000.
	MaxFiles int
	// FileBytes bounds what those files take up together. 0 means 8 GiB.
	FileBytes int64
	// KeepFor is how long a shape that nobody reads is safe from being given up
	// for others. 0 means a minute.
	KeepFor time.Duration
	// TempDir is where that file is made. "" means the system's own.
	TempDir string
	// Committed is told of each transaction that changed the tables how long ago it
	// was committed, once readers have it: by the database's clock and this
	// machine's. It must be quick. May be nil.
	Committed func(ago time.Duration)
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
		c.SnapshotMemory = 16 << 10
	}
	return c.withBounds()
}

func (c Config) withBounds() Config {
	if c.MaxShapes <= 0 {
		c.MaxShapes = 20_000
	}
	if c.MemoryBytes <= 0 {
		c.MemoryBytes = 256 << 20
	}
	if c.ShapeBytes <= 0 {
		c.ShapeBytes = c.MemoryBytes / 8
	}
	if c.MaxFiles <= 0 {
		c.MaxFiles = 1000
	}
	if c.FileBytes <= 0 {
		c.FileBytes = 8 << 30
	}
	if c.KeepFor <= 0 {
		c.KeepFor = time.Minute
	}
	return c
}
