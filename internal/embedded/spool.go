package embedded

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
)

// span is one chunk's place in a spool.
type span struct{ from, size int64 }

// spool keeps a snapshot's chunks: in memory while they are small, then in a
// temporary file that has no name, so that nothing is left behind however the
// process ends. One goroutine writes; any number read chunks that are complete.
//
// It is closed when it has been discarded and the last reader has let go.
type spool struct {
	cfg    *Config
	ledger *ledger

	mu        sync.Mutex
	memory    []byte
	file      *os.File
	size      int64 // of all that was written
	onDisk    int64
	chunks    []span
	readers   int
	discarded bool
}

func newSpool(cfg *Config, l *ledger) *spool { return &spool{cfg: cfg, ledger: l} }

// write appends to the chunk that is being written.
func (s *spool) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && len(s.memory)+len(b) <= s.cfg.SnapshotMemory {
		before := cap(s.memory)
		s.memory = append(s.memory, b...)
		s.ledger.memory.Add(int64(cap(s.memory) - before))
		s.size += int64(len(b))
		return nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return err
		}
	}
	return s.append(b)
}

// append writes to the file, as far as the bound allows. s.mu is held.
func (s *spool) append(b []byte) error {
	n := int64(len(b))
	if s.ledger.disk.Add(n) > s.cfg.FileBytes {
		s.ledger.disk.Add(-n)
		return &noRoomError{"the snapshots of the shapes in use fill their space on disk"}
	}
	s.onDisk += n
	if _, err := s.file.Write(b); err != nil {
		return fmt.Errorf("write a snapshot to its temporary file: %w", err)
	}
	s.size = s.onDisk
	return nil
}

// spill moves what is in memory to a file. s.mu is held.
func (s *spool) spill() error {
	if s.ledger.files.Add(1) > int64(s.cfg.MaxFiles) {
		s.ledger.files.Add(-1)
		return &noRoomError{"as many snapshots as are allowed are in files"}
	}
	f, err := os.CreateTemp(s.cfg.TempDir, "realtime-gw-snapshot-*")
	if err != nil {
		s.ledger.files.Add(-1)
		return fmt.Errorf("make a temporary file for a snapshot: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("unlink the temporary file of a snapshot: %w", err)
	}
	if err := s.append(s.memory); err != nil {
		return err
	}
	s.ledger.memory.Add(-int64(cap(s.memory)))
	s.memory = nil
	return nil
}

// footprint is what the spool takes up.
func (s *spool) footprint() (memory, disk int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(cap(s.memory)), s.onDisk
}

// cut ends the chunk that is being written.
func (s *spool) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := int64(0)
	if n := len(s.chunks); n > 0 {
		from = s.chunks[n-1].from + s.chunks[n-1].size
	}
	s.chunks = append(s.chunks, span{from: from, size: s.size - from})
}

// open returns a reader of chunk n and its length. It must be released. ok is
// false when the spool was discarded.
func (s *spool) open(n int) (r io.Reader, size int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.discarded {
		return nil, 0, false
	}
	s.readers++
	c := s.chunks[n]
	if s.file == nil {
		return bytes.NewReader(s.memory[c.from : c.from+c.size]), c.size, true
	}
	return io.NewSectionReader(s.file, c.from, c.size), c.size, true
}

func (s *spool) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
	s.closeUnused()
}

// discard gives the spool up: no new readers, and its room is freed when the
// last one has gone. The writer must have stopped.
func (s *spool) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discarded = true
	s.closeUnused()
}

func (s *spool) closeUnused() {
	if !s.discarded || s.readers > 0 {
		return
	}
	s.ledger.memory.Add(-int64(cap(s.memory)))
	s.memory = nil
	if s.file != nil {
		_ = s.file.Close() // it has no name: closing it frees it
		s.file = nil
		s.ledger.files.Add(-1)
		s.ledger.disk.Add(-s.onDisk)
		s.onDisk = 0
	}
}
