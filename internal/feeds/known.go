package feeds

import (
	"encoding/binary"
	"sync"
	"time"
)

// knownBytes is how much the definitions of the feeds in one shelf of known take.
const knownBytes = 8 << 20

// known are the feeds that were asked for lately, so that a poll does not spell its
// feed anew, and ten thousand clients who wait at one feed wait at one Feed. What was
// asked for on neither of two shelves is forgotten: one shelf fills up, then it is the
// old one.
type known struct {
	mu         sync.Mutex
	fresh, old map[string]*Feed
	bytes      int // of the feeds in fresh
}

// get gives the feed of a key, made by make if it is not known.
func (k *known) get(key string, make func() (*Feed, error)) (*Feed, error) {
	if f := k.find(key); f != nil {
		return f, nil
	}
	f, err := make()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(key, f)
	return f, nil
}

func (k *known) find(key string) *Feed {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.fresh[key]
	if f == nil {
		if f = k.old[key]; f != nil {
			k.put(key, f)
		}
	}
	return f
}

// put remembers a feed. k.mu is held.
func (k *known) put(key string, f *Feed) {
	size := len(key) + f.bytes()
	if k.fresh == nil || k.bytes+size > knownBytes {
		k.old, k.fresh, k.bytes = k.fresh, map[string]*Feed{}, 0
	}
	k.fresh[key] = f
	k.bytes += size
}

// keyOf is what a feed is asked for by. Every text has its length before it, so that
// no two lists have one key.
func keyOf(kind, environmentID string, within time.Duration, skip, parts []string) string {
	b := make([]byte, 0, 128)
	b = appendText(b, kind)
	b = appendText(b, environmentID)
	b = binary.AppendVarint(b, int64(within))
	for _, list := range [...][]string{skip, parts} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = appendText(b, s)
		}
	}
	return string(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
