package localpg

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rs/zerolog"
)

// MinVersion is the oldest major version of Postgres that the project runs on.
const MinVersion = 14

// Config says what to start, and where.
type Config struct {
	// Dir is the state directory. It is made if it does not exist, and belongs
	// to this package alone. Required.
	Dir string

	// Port is the TCP port on 127.0.0.1. The default, 0, takes any that is free,
	// another one at each start.
	Port int

	// BinDir is the folder of the binaries postgres and initdb. By default they
	// are looked for on PATH, then in Debian's folders, and else downloaded into
	// CacheDir.
	BinDir string

	// CacheDir keeps downloaded binaries. The default is realtime-gw/postgres in
	// the user's cache directory, or /var/cache/realtime-gw for root, whose own
	// the server's user could not read.
	CacheDir string

	// Disposable says that the data may be lost: nothing is synced to disk, and
	// Stop does not wait for a checkpoint. For tests.
	Disposable bool

	// Settings are further server settings, by their names in postgresql.conf.
	// They win over this package's own, and are trusted as much as the program.
	Settings map[string]string

	// Log gets the server's own log, line by line, at debug level. The zero
	// value drops it. The server is told to leave statements and row values out.
	Log zerolog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("localpg: Config.Dir is empty: name a state directory")
	}
	if c.Port < 0 || c.Port > 65535 {
		return c, fmt.Errorf("localpg: Config.Port is %d: give 0 for a free one, or one up to 65535", c.Port)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("localpg: find state directory %s: %w", c.Dir, err)
	}
	c.Dir = dir
	return c, nil
}

// settings are the server's, for one start.
func (c Config) settings(port int) map[string]string {
	s := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    fmt.Sprint(port),
		"unix_socket_directories": "",
		"password_encryption":     "scram-sha-256",

		"max_connections":       "200",
		"wal_level":             "logical",
		"max_wal_senders":       "64",
		"max_replication_slots": "64",
		// A slot whose reader never comes back must not fill the disk.
		"max_slot_wal_keep_size": "1GB",

		"shared_buffers": "64MB",
		"jit":            "off",
		"timezone":       "UTC",
		"log_timezone":   "UTC",
		"lc_messages":    "C", // startup is read from the log

		// The log goes to the program, so row values must not be in it: the
		// detail of an error names them, and its statement may.
		"log_destination":         "stderr",
		"logging_collector":       "off",
		"log_line_prefix":         "%p ",
		"log_error_verbosity":     "terse",
		"log_min_error_statement": "panic",
	}
	if c.Disposable {
		s["fsync"] = "off"
		s["full_page_writes"] = "off"
		s["shared_buffers"] = "32MB"
	}
	for name, value := range c.Settings {
		s[name] = value
	}
	return s
}
