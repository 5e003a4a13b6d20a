package auth

import (
	"slices"
	"sync"
	"time"
)

// Rememberer is a Directory that can say what it knows without asking anybody.
type Rememberer interface {
	// Remembered is EnvironmentByID, where that would not have to ask.
	Remembered(id string) (*Entry, bool)
}

// verifiedBytes is how much the tokens on one shelf of verified take.
const verifiedBytes = 4 << 20

// verified remembers tokens that were found good, so that a poll whose token was in the
// last one does not read and verify it again. What may change about a token is looked
// at each time: the environment, the keys that sign for it, and the time. What was used
// on neither of two shelves is forgotten: one fills up, then it is the old one.
//
// It holds tokens, as the requests that wait do, and none that opens nothing.
type verified struct {
	directory Rememberer // nil: nothing is remembered
	now       func() time.Time

	mu         sync.Mutex
	fresh, old map[string]*goodToken
	bytes      int // of the tokens in fresh
}

// goodToken is what a token was found to be.
type goodToken struct {
	principal *Principal
	key       Key       // that signed it
	since     time.Time // when it was found
}

// known gives the principal of a token that was found good, if it still is.
func (v *verified) known(text string) *Principal {
	if v.directory == nil {
		return nil
	}
	good := v.find(text)
	if good == nil {
		return nil
	}
	now := v.now()
	if now.Before(good.since) || !now.Before(good.principal.Expires) {
		return nil
	}
	entry, ok := v.directory.Remembered(good.principal.Environment.ID)
	if !ok || entry.ProjectDeleted || entry.Environment != good.principal.Environment || !entry.signsWith(good.key, now) {
		return nil
	}
	return good.principal
}

func (v *verified) find(text string) *goodToken {
	v.mu.Lock()
	defer v.mu.Unlock()
	good := v.fresh[text]
	if good == nil {
		if good = v.old[text]; good != nil {
			v.put(text, good)
		}
	}
	return good
}

// keep remembers a token that was found good.
func (v *verified) keep(text string, p *Principal, signed Key) {
	if v.directory == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(text, &goodToken{p, signed, v.now()})
}

// put puts a token on the fresh shelf. v.mu is held.
func (v *verified) put(text string, good *goodToken) {
	const beside = 512 // a principal with a few scopes
	size := len(text) + beside
	if v.fresh == nil || v.bytes+size > verifiedBytes {
		v.old, v.fresh, v.bytes = v.fresh, map[string]*goodToken{}, 0
	}
	v.fresh[text] = good
	v.bytes += size
}

// signsWith says that the key signs tokens of the environment, or is in its time of
// grace.
func (e *Entry) signsWith(key Key, now time.Time) bool {
	return slices.Contains(e.SigningKeys, key) || slices.ContainsFunc(e.RevokedKeys, func(r RevokedKey) bool {
		return r.Key == key && now.Before(r.Expires)
	})
}
