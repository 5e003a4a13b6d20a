package runid

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/ksuid"
)

// MinterConfig is what a Minter needs. Its zero value is right for production.
type MinterConfig struct {
	// Now tells the time that an id carries. Default: time.Now.
	Now func() time.Time

	// Source gives the random part of an id. The Minter calls it under a lock
	// of its own, so a source that is safe for one goroutine will do, so long
	// as no one else uses it. Default: the system's randomness, which is what
	// makes ids of several processes distinct. Give a seeded one only where the
	// same ids must come again, in a test or a simulation.
	Source rand.Source
}

// Minter makes new ids. It is safe for concurrent use.
type Minter struct {
	now func() time.Time

	mu          sync.Mutex
	source      rand.Source
	counter     uint32 // of the cuids made; it wraps
	fingerprint uint32 // tells this Minter's cuids from another's
}

// NewMinter makes a Minter.
func NewMinter(c MinterConfig) *Minter {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Source == nil {
		c.Source = systemSource{}
	}
	return &Minter{
		now:         c.Now,
		source:      c.Source,
		counter:     uint32(c.Source.Uint64() % blockSize),
		fingerprint: uint32(c.Source.Uint64() % blockSize),
	}
}

// Mint makes an id whose home is t: a KSUID for V2, a cuid for Legacy.
func (m *Minter) Mint(t Table) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t == V2 {
		return m.ksuid()
	}
	return m.cuid()
}

// ksuid is 4 bytes of time in seconds and 16 random bytes, in base62.
func (m *Minter) ksuid() string {
	var payload [16]byte
	binary.BigEndian.PutUint64(payload[:8], m.source.Uint64())
	binary.BigEndian.PutUint64(payload[8:], m.source.Uint64())
	id, err := ksuid.FromParts(m.now(), payload[:])
	if err != nil {
		panic("runid: a KSUID takes 16 bytes: " + err.Error()) // the array above has them
	}
	return id.String()
}

// blockSize is how many values four digits of base36 have. A cuid is made of
// such blocks: "c", eight digits of time in milliseconds, one block that
// counts, one that names the maker, two random ones; 25 characters.
const blockSize = 36 * 36 * 36 * 36

func (m *Minter) cuid() string {
	m.counter = (m.counter + 1) % blockSize
	var b strings.Builder
	b.Grow(25)
	b.WriteByte('c')
	// Eight digits hold milliseconds from 1972 to 2059: from 1970 on they are
	// padded, and afterwards only the last eight are kept, to stay at 25.
	ms := uint64(max(m.now().UnixMilli(), 0)) % (blockSize * blockSize)
	writeBase36(&b, ms, 8)
	writeBase36(&b, uint64(m.counter), 4)
	writeBase36(&b, uint64(m.fingerprint), 4)
	writeBase36(&b, m.source.Uint64()%(blockSize*blockSize), 8)
	return b.String()
}

func writeBase36(b *strings.Builder, n uint64, digits int) {
	s := strconv.FormatUint(n, 36)
	for range digits - len(s) {
		b.WriteByte('0')
	}
	b.WriteString(s)
}

// systemSource is the operating system's randomness as a rand.Source.
type systemSource struct{}

func (systemSource) Uint64() uint64 {
	var b [8]byte
	// crypto/rand never returns an error: it ends the process instead.
	_, _ = crand.Read(b[:])
	return binary.NativeEndian.Uint64(b[:])
}
