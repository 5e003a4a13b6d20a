package cursor

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

const version = 1

// How an upstream handle is written.
const (
	handleNone    = iota
	handleNumbers // Electric's own form: <hash>-<microseconds>
	handleText
)

// maxUpstreamHandle is the longest upstream handle that a cursor carries.
const maxUpstreamHandle = 256

func appendHandle(b []byte, cur Cursor) ([]byte, error) {
	b = append(b, version)
	b = binary.AppendUvarint(b, cur.Nonce)
	floor := int64(0)
	if !cur.Floor.IsZero() {
		if floor = cur.Floor.Unix(); floor <= 0 {
			return nil, fmt.Errorf("the floor %v lies before 1970", cur.Floor)
		}
	}
	b = binary.AppendUvarint(b, uint64(floor))
	b = binary.AppendUvarint(b, cur.Xmin)
	for _, side := range cur.Sides {
		if len(side.Handle) > maxUpstreamHandle {
			return nil, fmt.Errorf("an upstream handle of %d bytes does not fit into a cursor", len(side.Handle))
		}
		b = appendUpstream(b, side.Handle)
	}
	return b, nil
}

func appendUpstream(b []byte, handle string) []byte {
	if handle == "" {
		return append(b, handleNone)
	}
	if hash, micros, ok := numbers(handle); ok {
		b = append(b, handleNumbers)
		b = binary.AppendUvarint(b, hash)
		return binary.AppendUvarint(b, micros)
	}
	b = append(b, handleText)
	b = binary.AppendUvarint(b, uint64(len(handle)))
	return append(b, handle...)
}

// numbers takes a handle of Electric's form apart if the numbers give back the
// same text.
func numbers(handle string) (hash, micros uint64, ok bool) {
	left, right, _ := strings.Cut(handle, "-")
	hash, err1 := strconv.ParseUint(left, 10, 64)
	micros, err2 := strconv.ParseUint(right, 10, 64)
	ok = err1 == nil && err2 == nil && joinNumbers(hash, micros) == handle
	return hash, micros, ok
}

func joinNumbers(hash, micros uint64) string {
	return strconv.FormatUint(hash, 10) + "-" + strconv.FormatUint(micros, 10)
}

// parseHandle reads what appendHandle wrote. The bytes are authentic, so that
// only a handle of another version can surprise it; it checks all the same.
func parseHandle(b []byte) (Cursor, error) {
	r := reader{b: b}
	if r.byte() != version {
		return Cursor{}, fmt.Errorf("%w: the handle is of another version", ErrVersion)
	}
	cur := Cursor{Nonce: r.uvarint()}
	floor := r.uvarint()
	if floor > math.MaxInt32*16 {
		return Cursor{}, invalid("the handle's floor is out of range")
	}
	if floor > 0 {
		cur.Floor = time.Unix(int64(floor), 0).UTC()
	}
	cur.Xmin = r.uvarint()
	for i := range cur.Sides {
		cur.Sides[i] = shapes.Progress{Position: shapes.Position{Handle: r.upstream()}}
	}
	if r.bad || len(r.b) > 0 {
		return Cursor{}, invalid("the handle does not hold what its version should")
	}
	return cur, nil
}

// reader takes fields from the front of b; after the first that is not there,
// everything is zero and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) upstream() string {
	switch r.byte() {
	case handleNone:
		return ""
	case handleNumbers:
		hash := r.uvarint()
		return joinNumbers(hash, r.uvarint())
	case handleText:
		n := r.uvarint()
		if n > uint64(min(len(r.b), maxUpstreamHandle)) {
			r.bad = true
			return ""
		}
		s := string(r.b[:n])
		r.b = r.b[n:]
		return s
	default:
		r.bad = true
		return ""
	}
}
