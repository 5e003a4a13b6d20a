package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
)

// additionalForm is the form of additional keys, which the platform tells them
// by. A text of this form is never looked for among root keys.
var additionalForm = regexp.MustCompile(`^tr_(dev|stg|prod|preview)_sk_[0-9a-zA-Z]{24}$`)

// additional says whether a key is one of an environment's additional keys.
func (k Key) additional() bool { return additionalForm.MatchString(string(k)) }

// hash is what the platform keeps of an additional key: its SHA-256 in hex.
func (k Key) hash() string {
	sum := sha256.Sum256([]byte(string(k)))
	return hex.EncodeToString(sum[:])
}

// additionalKey is a key of an environment with scopes of its own. The platform
// notes when one was last used; that is not done here, where nothing is written.
type additionalKey struct{ keys }

func (additionalKey) recognises(text string) bool { return Key(text).additional() }

func (c additionalKey) authenticate(ctx context.Context, text string, header http.Header) (*Principal, error) {
	entry, err := c.find(ctx, Key(text))
	if err != nil {
		return nil, err
	}
	return c.open(ctx, entry, header)
}
