package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// publicToken is a JWT signed with an environment's root key.
type publicToken struct {
	directory Directory
	rereader  Rereader // nil: the directory's answers are as new as they get
	parser    *jwt.Parser
	now       func() time.Time
	verified  *verified
}

func newPublicToken(directory Directory, now func() time.Time) publicToken {
	rereader, _ := directory.(Rereader)
	rememberer, _ := directory.(Rememberer)
	return publicToken{directory: directory, rereader: rereader, now: now, verified: &verified{directory: rememberer, now: now}, parser: jwt.NewParser(
		// One algorithm for one kind of key: the header must not choose. With a
		// choice, "none" needs no key, and a public key becomes an HMAC secret.
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now), // and no leeway, as the platform gives none
	)}
}

func (publicToken) recognises(text string) bool { return IsPublicToken(text) }

func (c publicToken) authenticate(ctx context.Context, text string, _ http.Header) (*Principal, error) {
	p, _ := peek(text)
	id, _ := p.Subject.(string)
	if !plain(id) {
		return nil, refused(unknownToken, "the subject is not an environment's id")
	}
	entry, err := c.directory.EnvironmentByID(ctx, id)
	if entry, err = found(entry, err, unknownToken); err != nil {
		return nil, err
	}
	verified, key, err := c.verify(text, entry)
	if errors.Is(err, jwt.ErrTokenSignatureInvalid) && c.rereader != nil {
		entry, err = c.rereader.RereadEnvironmentByID(ctx, id)
		if entry, err = found(entry, err, unknownToken); err != nil {
			return nil, err
		}
		verified, key, err = c.verify(text, entry)
	}
	if err != nil {
		return nil, refused(invalidToken, reason(err))
	}
	// The subject was read twice, by two decoders: they must have read the same.
	if verified.Subject != entry.Environment.ID || !verified.Public {
		return nil, refused(invalidToken, "the token is for another environment")
	}
	who := principal(entry.Environment, verified)
	if verified.Once {
		sum := sha256.Sum256([]byte(text))
		who.OneTimeUse = hex.EncodeToString(sum[:])
	}
	c.verified.keep(text, who, key)
	return who, nil
}

// verify checks the token against the keys that sign for its environment, and
// against those that did and are in their time of grace. It gives the key, too.
func (c publicToken) verify(text string, entry *Entry) (*claims, Key, error) {
	verified, key, err := c.verifyWith(text, entry.SigningKeys)
	if !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return verified, key, err
	}
	var still []Key
	for _, revoked := range entry.RevokedKeys {
		if c.now().Before(revoked.Expires) {
			still = append(still, revoked.Key)
		}
	}
	return c.verifyWith(text, still)
}

// verifyWith checks the token against each key. Only a signature that does not
// fit is a reason to try the next one: no other key mends an expired token.
func (c publicToken) verifyWith(text string, keys []Key) (*claims, Key, error) {
	err := jwt.ErrTokenSignatureInvalid
	for _, key := range keys {
		if key == "" {
			continue // HMAC takes an empty secret, and then anybody can sign
		}
		var verified claims
		_, err = c.parser.ParseWithClaims(text, &verified, func(t *jwt.Token) (any, error) {
			if _, critical := t.Header["crit"]; critical {
				return nil, jwt.ErrTokenUnverifiable // RFC 7515 4.1.11: none is understood here
			}
			return []byte(string(key)), nil
		})
		if err == nil {
			return &verified, key, nil
		}
		if !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
			break
		}
	}
	return nil, "", err
}

// reason is a fixed text for an error of the parser, whose own words quote
// parts of the token.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenMalformed, "malformed"},
		{jwt.ErrTokenUnverifiable, "its header asks for what is not supported"},
		{jwt.ErrTokenSignatureInvalid, "wrong signature or algorithm"},
		{jwt.ErrTokenExpired, "expired"},
		{jwt.ErrTokenNotValidYet, "not valid yet"},
		{jwt.ErrTokenInvalidIssuer, "wrong issuer"},
		{jwt.ErrTokenInvalidAudience, "wrong audience"},
		{jwt.ErrTokenRequiredClaimMissing, "a required claim is missing"},
	} {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	return "not acceptable"
}

func principal(env Environment, c *claims) *Principal {
	p := &Principal{Environment: env, Scopes: ParseScopes(c.Scopes), Expires: c.ExpiresAt.Time, Public: true}
	if c.Realtime != nil {
		p.SkipColumns = c.Realtime.SkipColumns
	}
	return p
}
