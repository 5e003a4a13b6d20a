package steady

import (
	"hash/maphash"
	"math/bits"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// digest is a sum of bytes, the same of one after the other as of all together. It is
// maphash's of each window, and those in order: a maphash.Hash does the same 128 bytes at
// a time, which takes several times as long, and all of a snapshot passes through here.
// The zero value is that of nothing. It is safe for one goroutine.
type digest struct {
	seed   maphash.Seed // of the first bytes; zero before
	sum    uint64       // of whole windows
	begun  int          // bytes of the window that is not whole
	window [1 << 10]byte
}

// note sums up messages.
func (d *digest) note(m *shapes.Message) {
	d.add(m.Raw)
	d.add([]byte{','})
}

// add sums up more.
func (d *digest) add(p []byte) {
	if d.seed == (maphash.Seed{}) {
		d.seed = maphash.MakeSeed()
	}
	if d.begun > 0 {
		n := copy(d.window[d.begun:], p)
		p = p[n:]
		if d.begun += n; d.begun < len(d.window) {
			return
		}
		d.whole(d.window[:])
		d.begun = 0
	}
	for len(p) >= len(d.window) {
		d.whole(p[:len(d.window)])
		p = p[len(d.window):]
	}
	d.begun = copy(d.window[:], p)
}

func (d *digest) whole(window []byte) { d.sum = after(d.sum, maphash.Bytes(d.seed, window)) }

// after is the sum of one more window. An odd factor loses nothing of the sum before.
func after(sum, window uint64) uint64 { return bits.RotateLeft64(sum*0x9e3779b97f4a7c15, 29) ^ window }

// same says whether both are of the same bytes. The other has to have the same seed.
func (d *digest) same(other *digest) bool {
	return d.sum == other.sum && string(d.window[:d.begun]) == string(other.window[:other.begun])
}
