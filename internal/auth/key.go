package auth

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// Key is a secret that opens an environment and signs its public tokens. It
// formats as "[key]" with every verb, and as that text in JSON, so that a
// struct that holds one can be logged. Take the secret out with string(k).
type Key string

const redacted = "[key]"

// Format writes a fixed text, whatever the verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String is a fixed text: it makes printers that know only fmt.Stringer safe.
func (Key) String() string { return redacted }

// MarshalText is a fixed text: it makes encoding/json and its kin safe.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// equal compares in constant time for keys of one length. An empty key equals
// nothing: a row without a key must not be opened by sending none.
func (k Key) equal(other Key) bool {
	return k != "" && subtle.ConstantTimeCompare([]byte(k), []byte(other)) == 1
}
