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
	memoryBytes int // above this the file is used
	dir         string

	mu        sync.Mutex
	memory    []byte
	file      *os.File
	size      int64
	chunks    []span
	readers   int
	discarded bool
}

// write appends to the chunk that is being written.
func (s *spool) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size += int64(len(b))
	if s.file == nil && len(s.memory)+len(b) <= s.memoryBytes {
		s.memory = append(s.memory, b...)
		return nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if _, err := s.file.Write(b); err != nil {
		return fmt.Errorf("write a snapshot to its temporary file: %w", err)
	}
	return nil
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "realtime-gw-snapshot-*")
	if err != nil {
		return fmt.Errorf("make a temporary file for a snapshot: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("unlink the temporary file of a snapshot: %w", err)
	}
	if _, err := f.Write(s.memory); err != nil {
		return fmt.Errorf("write a snapshot to its temporary file: %w", err)
	}
	s.memory = nil
	return nil
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
	s.memory = nil
	if s.file != nil {
		_ = s.file.Close() // it has no name: closing it frees it
		s.file = nil
	}
}
