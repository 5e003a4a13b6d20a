package logwriter

import (
	"io"
	"sync"

	"github.com/rs/zerolog"
)

// MaxWaiting is how many bytes may wait to be written.
const MaxWaiting = 1 << 20

// Writer is a zerolog.LevelWriter. New gives one. It is safe for concurrent use.
type Writer struct {
	out   io.Writer
	ended chan struct{}

	mu      sync.Mutex
	changed sync.Cond // any of what follows
	waiting []byte
	taken   uint64 // bytes that were ever given to Write
	written uint64 // of those
	closed  bool   // what waits is to be written, and that is the end
	over    bool   // it was written
}

var _ zerolog.LevelWriter = (*Writer)(nil)

// New gives a Writer to out, which nobody else writes to.
func New(out io.Writer) *Writer {
	w := &Writer{out: out, ended: make(chan struct{})}
	w.changed.L = &w.mu
	go w.run()
	return w
}

// Write takes a line. It never fails: there is nobody to tell that a log cannot be written.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(line)
	return len(line), nil
}

// WriteLevel takes a line, and waits for a grave one until it is written.
func (w *Writer) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.take(line)
	for level >= zerolog.ErrorLevel && level < zerolog.NoLevel && w.written < until {
		w.changed.Wait()
	}
	return len(line), nil
}

// take says up to where has to be written for the line to be. w.mu is held.
func (w *Writer) take(line []byte) uint64 {
	for len(w.waiting) > 0 && len(w.waiting)+len(line) > MaxWaiting && !w.over {
		w.changed.Wait()
	}
	w.taken += uint64(len(line))
	if w.over {
		_, _ = w.out.Write(line)
		w.written += uint64(len(line))
		return w.taken
	}
	w.waiting = append(w.waiting, line...)
	w.changed.Broadcast()
	return w.taken
}

func (w *Writer) run() {
	defer close(w.ended)
	var piece []byte
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.waiting) == 0 {
			if w.closed {
				w.over = true
				return
			}
			w.changed.Wait()
		}
		piece, w.waiting = w.waiting, piece[:0]
		w.mu.Unlock()
		_, _ = w.out.Write(piece)
		w.mu.Lock()
		w.written += uint64(len(piece))
		w.changed.Broadcast()
	}
}

// Close writes what waits, and returns when that is done. What is logged after it is
// written at once.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.mu.Unlock()
	<-w.ended
	return nil
}
