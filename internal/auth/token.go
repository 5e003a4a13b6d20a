package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What a public token is bound to, fixed by the platform.
const (
	issuer   = "https://id.trigger.dev"
	audience = "https://api.trigger.dev"
)

// claims is the payload of a public token.
type claims struct {
	jwt.RegisteredClaims
	Public   bool            `json:"pub"`
	Scopes   scopeTexts      `json:"scopes"`
	Once     bool            `json:"otu,omitzero"` // it may trigger one time
	Realtime *realtimeClaims `json:"realtime,omitzero"`
}

type realtimeClaims struct {
	SkipColumns []string `json:"skipColumns,omitzero"`
}

// UnmarshalJSON takes members by their exact names, as the platform does:
// encoding/json alone would take "SCOPES" for scopes, and an "Exp" that follows
// exp in its place. Nor is a time in quotes a time.
func (c *claims) UnmarshalJSON(data []byte) error {
	data, err := exactly(data, "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "pub", "scopes", "otu", "realtime")
	if err != nil {
		return err
	}
	var times struct {
		Exp, Nbf, Iat *float64
	}
	if err := json.Unmarshal(data, &times); err != nil {
		return err
	}
	type plain claims
	return json.Unmarshal(data, (*plain)(c))
}

// UnmarshalJSON takes the one member by its exact name.
func (c *realtimeClaims) UnmarshalJSON(data []byte) error {
	data, err := exactly(data, "skipColumns")
	if err != nil {
		return err
	}
	type plain realtimeClaims
	return json.Unmarshal(data, (*plain)(c))
}

// exactly is a JSON object without the members that have other names than these.
func exactly(object []byte, names ...string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return !slices.Contains(names, name) })
	return json.Marshal(members)
}

// scopeTexts reads a claim that other services write too: what is not a list of
// strings grants nothing, and is no reason to refuse the token.
type scopeTexts []string

// UnmarshalJSON keeps the strings of a list and drops everything else.
func (s *scopeTexts) UnmarshalJSON(data []byte) error {
	var list []any
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	for _, v := range list {
		if text, ok := v.(string); ok {
			*s = append(*s, text)
		}
	}
	return nil
}

// peeked is what is read of a token before its signature is verified.
type peeked struct {
	Public  any `json:"pub"`
	Subject any `json:"sub"`
}

// peek reads the payload of a text of three parts; ok says that it calls itself
// a public token. The platform tells tokens from keys by this.
func peek(text string) (p peeked, ok bool) {
	if strings.Count(text, ".") != 2 {
		return peeked{}, false
	}
	payload := strings.Split(text, ".")[1]
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return peeked{}, false
	}
	if data, err = exactly(data, "pub", "sub"); err != nil || json.Unmarshal(data, &p) != nil {
		return peeked{}, false
	}
	return p, p.Public == true
}

// IsPublicToken says whether text looks like a public token: three parts, and a
// payload with pub true. It says nothing of whether the token is good.
func IsPublicToken(text string) bool {
	_, ok := peek(text)
	return ok
}

// Token is what Sign puts into a public token.
type Token struct {
	// EnvironmentID is the environment that the token opens. Required.
	EnvironmentID string
	// Scopes is what it may do there, each "action:type[:id]".
	Scopes []string
	// SkipColumns are columns hidden from whoever holds it; see Principal.
	SkipColumns []string
	// OneTimeUse says that it may trigger one time.
	OneTimeUse bool
	// IssuedAt and Expires bound its life, rounded down to a second. Required.
	IssuedAt, Expires time.Time
}

// Sign makes a public token with the root key of its environment, or of that
// environment's parent if it has one.
func Sign(key Key, t Token) (string, error) {
	switch {
	case key == "":
		return "", errors.New("auth: cannot sign a token: the environment's key is empty")
	case !plain(t.EnvironmentID):
		return "", errors.New("auth: cannot sign a token: EnvironmentID is not an id")
	case !t.Expires.After(t.IssuedAt):
		return "", errors.New("auth: cannot sign a token: Expires must be after IssuedAt")
	}
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: t.EnvironmentID,
			IssuedAt: jwt.NewNumericDate(t.IssuedAt), ExpiresAt: jwt.NewNumericDate(t.Expires),
		},
		Public: true,
		Scopes: append(scopeTexts{}, t.Scopes...),
		Once:   t.OneTimeUse,
	}
	if t.SkipColumns != nil {
		c.Realtime = &realtimeClaims{SkipColumns: t.SkipColumns}
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(string(key)))
	if err != nil {
		return "", errors.New("auth: cannot sign a token: HS256 failed") // the cause may quote what was signed
	}
	return signed, nil
}
