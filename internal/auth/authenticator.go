package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// maxHeader bounds the Authorization header, in bytes, before anything reads
// it. A token with a hundred scopes has about 4 KiB.
const maxHeader = 8 << 10

// Config says what an Authenticator works with.
type Config struct {
	// Directory finds environments. Required. In production it is a Cache:
	// every poll of every client authenticates.
	Directory Directory

	// LookupTimeout bounds each request's questions to the Directory; past it
	// the answer is a 503. Default 5 s.
	LookupTimeout time.Duration

	// Now is the clock that tokens and keys expire by. Default time.Now.
	Now func() time.Time
}

// Authenticator reads the credential of a request. It is safe for concurrent
// use. It remembers which tokens were good, and nothing else.
type Authenticator struct {
	credentials   []credential
	tokens        *verified
	lookupTimeout time.Duration
}

// credential is one kind of credential: how to tell it, and how to check it.
type credential interface {
	// recognises says whether the text is of this kind, well-formed or not.
	recognises(text string) bool
	// authenticate checks a text that was recognised. Its errors are *Error.
	authenticate(ctx context.Context, text string, header http.Header) (*Principal, error)
}

// NewAuthenticator makes an Authenticator. It fails only for a Config without a
// Directory.
func NewAuthenticator(cfg Config) (*Authenticator, error) {
	if cfg.Directory == nil {
		return nil, errors.New("auth: Config.Directory is missing: give the directory that finds environments")
	}
	if cfg.LookupTimeout <= 0 {
		cfg.LookupTimeout = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	known := keys{directory: cfg.Directory, now: cfg.Now}
	known.branches.directory, _ = cfg.Directory.(Branches)
	tokens := newPublicToken(cfg.Directory, cfg.Now)
	return &Authenticator{
		tokens: tokens.verified,
		credentials: []credential{
			tokens,
			additionalKey{known},
			rootKey{known}, // recognises everything: last
		},
		lookupTimeout: cfg.LookupTimeout,
	}, nil
}

// Authenticate says who sent a request with this header. Its error is always an
// *Error: a 401 for whom to refuse, a 503 when that could not be found out.
func (a *Authenticator) Authenticate(ctx context.Context, header http.Header) (*Principal, error) {
	text, err := bearer(header)
	if err != nil {
		return nil, err
	}
	if p := a.tokens.known(text); p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.lookupTimeout)
	defer cancel()
	for _, c := range a.credentials {
		if c.recognises(text) {
			return c.authenticate(ctx, text, header)
		}
	}
	return nil, refused(invalidKey, "not a credential of a known kind")
}

// bearer takes the credential out of the Authorization header. Like the
// platform it takes one without a scheme as well.
func bearer(header http.Header) (string, error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return "", refused(missingKey, "no Authorization header")
	}
	if len(values) > 1 {
		return "", refused(invalidKey, "more than one Authorization header")
	}
	value := values[0]
	if len(value) > maxHeader {
		return "", refused(invalidKey, "the Authorization header is longer than 8 KiB")
	}
	const scheme = "bearer "
	if len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
		value = value[len(scheme):]
	}
	value = strings.TrimSpace(value)
	if value == "" || strings.EqualFold(value, strings.TrimSpace(scheme)) {
		return "", refused(missingKey, "the Authorization header is empty")
	}
	return value, nil
}

// plain says whether s can be a key or an id: visible ASCII, not empty, at most
// 256 bytes. Anything else is refused before the database sees it: a NUL would
// come back as a fault of the database, and so as a 503.
func plain(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// found maps a Directory's error: unknown is a refusal with this text, all else
// is a 503.
func found(entry *Entry, err error, text string) (*Entry, error) {
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, refused(text, "no such environment")
	case err != nil:
		return nil, notChecked(err)
	case entry.ProjectDeleted:
		return nil, refused(text, "the project of the environment is deleted")
	}
	return entry, nil
}
