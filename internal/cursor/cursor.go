package cursor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Sides is the number of shapes that one feed can have.
const Sides = 2

// Fingerprint identifies a feed: what is read, and for which environment. It
// must not depend on anything that a Cursor carries.
type Fingerprint [sha256.Size]byte

// Cursor is a client's place in a feed.
type Cursor struct {
	// Nonce is 0 for a client that started afresh, so that all of them share
	// one handle; after a must-refetch it is random, because clients refuse a
	// handle that was once answered with one.
	Nonce uint64
	// Floor is the feed's pinned lower bound of createdAt, to the second; the
	// zero time if the feed has none.
	Floor time.Time
	// Xmin is the least xmin of the snapshots that ended before those of all
	// sides have; 0 if there is none.
	Xmin uint64
	// Sides are the places in the shapes of the feed. A side that is not
	// opened, or is at the beginning, has no handle.
	Sides [Sides]shapes.Progress
}

// ErrInvalid is wrapped by the errors of Decode. The client has to start over.
var ErrInvalid = errors.New("this cursor is not one of ours for this feed")

// What is wrong with a cursor, where it is worth telling apart. Both wrap ErrInvalid.
var (
	// ErrForeign: its handle was not made here for this feed, or not with these keys.
	ErrForeign = fmt.Errorf("%w", ErrInvalid)
	// ErrVersion: its handle has a format that this release does not read.
	ErrVersion = fmt.Errorf("%w", ErrInvalid)
)

// Codec encodes and decodes. It is immutable and safe for concurrent use.
type Codec struct{ keys [][]byte }

// MinKey is the least length of a key in bytes.
const MinKey = 32

// NewCodec makes a Codec that writes with the first key and reads with any, so
// that a key can be replaced while clients hold cursors made with the old one.
func NewCodec(keys ...[]byte) (*Codec, error) {
	if len(keys) == 0 {
		return nil, errors.New("no cursor key: give at least one")
	}
	for i, key := range keys {
		if len(key) < MinKey {
			return nil, fmt.Errorf("cursor key %d has %d bytes: give at least %d", i+1, len(key), MinKey)
		}
	}
	return &Codec{keys: keys}, nil
}

// RandomNonce gives a nonce for a cursor that must differ from all others of
// its feed. It is never 0.
func RandomNonce() uint64 { return rand.Uint64N(1<<48-1) + 1 }

var encoding = base64.RawURLEncoding.Strict()

// Encode writes c for the feed. It fails only if a side's offset or handle does
// not fit, which the upstream is to blame for.
func (c *Codec) Encode(feed Fingerprint, cur Cursor) (handle, offset string, err error) {
	if offset, err = Offset(cur.Sides); err != nil {
		return "", "", err
	}
	b, err := appendHandle(make([]byte, 0, 128), cur)
	if err != nil {
		return "", "", err
	}
	b = append(b, code(c.keys[0], feed, b)...)
	return encoding.EncodeToString(b), offset, nil
}

// Offset is the offset alone. The handle is another one only when SameHandle says so: of
// clients who go on in the same shapes only the offset moves.
func Offset(sides [Sides]shapes.Progress) (string, error) {
	n, err := pack(sides)
	if err != nil {
		return "", err
	}
	return string(append(n.decimal(make([]byte, 0, maxDigits+len(offsetEnd))), offsetEnd...)), nil
}

// SameHandle says whether two places of a feed have one handle.
func SameHandle(a, b *Cursor) bool {
	for i := range a.Sides {
		if a.Sides[i].Handle != b.Sides[i].Handle {
			return false
		}
	}
	return a.Nonce == b.Nonce && a.Xmin == b.Xmin && a.Floor.Equal(b.Floor)
}

// maxHandle is the longest handle worth looking at: two upstream handles of 256
// bytes, and the rest.
const maxHandle = 1024

// Decode reads what a client sent. The offset is given as it was sent; "-1" and
// "now" are not cursors. Errors wrap ErrInvalid and repeat nothing of the input.
func (c *Codec) Decode(feed Fingerprint, handle, offset string) (Cursor, error) {
	cur, err := c.DecodeHandle(feed, handle)
	if err != nil {
		return Cursor{}, err
	}
	handles := cur.Sides
	if cur.Sides, err = unpack(offset); err != nil {
		return Cursor{}, err
	}
	for i := range cur.Sides {
		if !cur.Sides[i].Opened || cur.Sides[i].Offset.Kind == shapes.BeforeAll {
			continue // what the handle says of it, if anything, is of no use
		}
		if handles[i].Handle == "" {
			return Cursor{}, invalid("the offset is inside a shape that the handle does not name")
		}
		cur.Sides[i].Handle = handles[i].Handle
	}
	return cur, nil
}

// DecodeHandle reads a handle alone, as a client sends it that starts over. The
// sides have their upstream handles and nothing else.
func (c *Codec) DecodeHandle(feed Fingerprint, handle string) (Cursor, error) {
	if len(handle) > maxHandle {
		return Cursor{}, fmt.Errorf("%w: the handle is too long", ErrForeign)
	}
	b, err := encoding.DecodeString(handle)
	if err != nil || len(b) < codeSize || strings.ContainsAny(handle, "\r\n") { // which it skips
		return Cursor{}, fmt.Errorf("%w: the handle is not of our making", ErrForeign)
	}
	body, mac := b[:len(b)-codeSize], b[len(b)-codeSize:]
	for _, key := range c.keys {
		if hmac.Equal(mac, code(key, feed, body)) {
			return parseHandle(body)
		}
	}
	return Cursor{}, fmt.Errorf("%w: the handle is of another feed, environment or key, or was changed", ErrForeign)
}

const codeSize = 16

// code binds a handle's bytes to the feed and to the key.
func code(key []byte, feed Fingerprint, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(feed[:])
	mac.Write(body)
	return mac.Sum(nil)[:codeSize]
}

func invalid(why string) error { return fmt.Errorf("%w: %s", ErrInvalid, why) }

// Number is the offset's number, for the global_last_seen_lsn of a stream.
func Number(sides [Sides]shapes.Progress) (string, error) {
	n, err := pack(sides)
	if err != nil {
		return "", err
	}
	return string(n.decimal(make([]byte, 0, maxDigits))), nil
}

// epoch and step are those of Electric's own cursors (sync-service 1.7.12,
// plug/utils.ex): all who poll in the same 20 s share one value.
var epoch = time.Date(2024, 10, 9, 0, 0, 0, 0, time.UTC)

const step = 20

// Live is the electric-cursor of a live answer: a number, sent in decimal, that is always
// higher than the one the client sent, and the same for all who poll in the
// same 20 s as far as that allows: shared says so. previous may be anything.
func Live(now time.Time, previous string) (next uint64, shared bool) {
	seconds := uint64(max(0, now.Sub(epoch)/time.Second))
	next = (seconds + step - 1) / step * step
	if previous == "" {
		return next, true
	}
	if before, err := strconv.ParseUint(previous, 10, 62); err == nil && before >= next {
		return before + 1 + rand.Uint64N(3600), false
	}
	return next, true
}
