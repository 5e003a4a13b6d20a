package logwriter

import (
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// MaxWaiting is how many bytes may wait to be written.
const MaxWaiting = 1 << 20

// Linger is for how long lines are gathered after a write: a process that logs often writes
// no more often than that, and who logs wakes nobody meanwhile.
const Linger = 50 * time.Millisecond

// enough is how many bytes are written without waiting for more.
const enough = 64 << 10

// Writer is a zerolog.LevelWriter. New gives one. It is safe for concurrent use.
type Writer struct {
	out   io.Writer
	wake  chan struct{} // has one when the goroutine is to look, though it lingers
	ended chan struct{}

	mu      sync.Mutex
	changed sync.Cond // of what follows, for those who log
	waiting []byte
	idle    bool   // nothing waits, and nobody would look
	taken   uint64 // bytes that were ever given to Write
	written uint64 // of those
	closed  bool   // what waits is to be written, and that is the end
	over    bool   // it was written
}

var _ zerolog.LevelWriter = (*Writer)(nil)

// New gives a Writer to out, which nobody else writes to.
func New(out io.Writer) *Writer {
	w := &Writer{out: out, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	w.changed.L = &w.mu
	go w.run()
	return w
}

// Write takes a line. It never fails: there is nobody to tell that a log cannot be written.
func (w *Writer) Write(line []byte) (int, error) {
	return w.WriteLevel(zerolog.NoLevel, line)
}

// WriteLevel takes a line, and waits for a grave one until it is written.
func (w *Writer) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.take(line, level >= zerolog.WarnLevel && level < zerolog.NoLevel)
	for level >= zerolog.ErrorLevel && level < zerolog.NoLevel && w.written < until {
		w.changed.Wait()
	}
	return len(line), nil
}

// take says up to where has to be written for the line to be. w.mu is held.
func (w *Writer) take(line []byte, urgent bool) uint64 {
	for len(w.waiting) > 0 && len(w.waiting)+len(line) > MaxWaiting && !w.over {
		w.look()
		w.changed.Wait()
	}
	w.taken += uint64(len(line))
	if w.over {
		_, _ = w.out.Write(line)
		w.written += uint64(len(line))
		return w.taken
	}
	w.waiting = append(w.waiting, line...)
	if w.idle || urgent || len(w.waiting) >= enough {
		w.idle = false
		w.look()
	}
	return w.taken
}

// look has the goroutine look what waits.
func (w *Writer) look() {
	select {
	case w.wake <- struct{}{}:
	default: // it was told before, and has not looked yet
	}
}

func (w *Writer) run() {
	defer close(w.ended)
	var piece []byte
	linger := time.NewTimer(Linger)
	defer linger.Stop()
	for {
		w.mu.Lock()
		piece, w.waiting = w.waiting, piece[:0]
		w.idle = len(piece) == 0
		w.over = w.idle && w.closed
		w.changed.Broadcast() // there is room
		if w.over {
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		if len(piece) == 0 {
			<-w.wake
			continue
		}
		_, _ = w.out.Write(piece)
		w.mu.Lock()
		w.written += uint64(len(piece))
		w.changed.Broadcast()
		closed := w.closed
		w.mu.Unlock()
		if closed { // whose call may have woken this one for the lines before it
			continue
		}
		linger.Reset(Linger)
		select {
		case <-w.wake:
		case <-linger.C:
		}
	}
}

// Close writes what waits, and returns when that is done. What is logged after it is
// written at once.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.look()
	w.mu.Unlock()
	<-w.ended
	return nil
}
