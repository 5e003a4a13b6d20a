package replication

import (
	"bytes"
	"encoding/binary"
)

// wire reads the parts of one pgoutput message (PostgreSQL manual, "Logical
// Replication Message Formats"). A message that is too short leaves it broken,
// after which it reads zeros: the caller asks once, at the end. Nothing is
// allocated for a length that the message only claims.
type wire struct {
	rest   []byte
	broken bool
}

// take is the next n bytes, which stay those of the message.
func (w *wire) take(n int) []byte {
	if n < 0 || n > len(w.rest) {
		w.broken, w.rest = true, nil
		return nil
	}
	b := w.rest[:n]
	w.rest = w.rest[n:]
	return b
}

func (w *wire) uint8() uint8 {
	if b := w.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (w *wire) uint16() uint16 {
	if b := w.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (w *wire) uint32() uint32 {
	if b := w.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (w *wire) uint64() uint64 {
	if b := w.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text is a string that ends with a zero byte.
func (w *wire) text() string {
	n := bytes.IndexByte(w.rest, 0)
	if n < 0 {
		w.take(len(w.rest) + 1)
		return ""
	}
	return string(w.take(n + 1)[:n])
}

// whole says whether the message was exactly as long as what was read of it.
func (w *wire) whole() bool { return !w.broken && len(w.rest) == 0 }
