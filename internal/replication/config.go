package replication

import (
	"time"

	"github.com/rs/zerolog"
)

// Config says what to follow.
type Config struct {
	// DatabaseURL is a libpq connection string or URL. Its role needs
	// REPLICATION, and must own the tables (to publish them). Required.
	DatabaseURL string
	// Slot is the name of the slot, of the publication and of the lock: lower
	// case letters, digits and underscores, at most 63. Required.
	Slot string
	// Tables are the tables to follow. Required.
	Tables []Table
	// StatusInterval is how often Postgres is told what has been processed, if
	// its wal_sender_timeout does not ask for more. 0 means 10 s.
	StatusInterval time.Duration
	// CheckInterval is how often the lock and the tables are looked at, to see
	// what the log does not tell: a table that was dropped and made again, for
	// one. 0 means 5 s.
	CheckInterval time.Duration
	// Logger gets lost and regained connections. The zero value is silent.
	Logger zerolog.Logger
}
