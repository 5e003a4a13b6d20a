package auth_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// sign makes a good token that lives for an hour around now.
func sign(t *testing.T, key string, token auth.Token) string {
	t.Helper()
	token.IssuedAt, token.Expires = now.Add(-time.Minute), now.Add(time.Hour)
	text, err := auth.Sign(auth.Key(key), token)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tokenOf puts a token together by hand; without a mac its signature is "x".
func tokenOf(header, payload string, mac ...func(signed string) []byte) string {
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(header)) + "." + part([]byte(payload))
	if len(mac) == 0 {
		return text + "." + part([]byte("x"))
	}
	return text + "." + part(mac[0](text))
}

func hs256(key string) func(string) []byte {
	return func(signed string) []byte {
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(signed))
		return h.Sum(nil)
	}
}

func hs512(key string) func(string) []byte {
	return func(signed string) []byte {
		h := hmac.New(sha512.New, []byte(key))
		h.Write([]byte(signed))
		return h.Sum(nil)
	}
}

const goodHeader = `{"alg":"HS256","typ":"JWT"}`

// payload is that of a good token for prodID, with members replaced: "exp", "1"
// sets exp, "exp", "" leaves it out.
func payload(changes ...string) string {
	names := []string{"sub", "pub", "iss", "aud", "iat", "exp", "scopes"}
	values := map[string]string{
		"sub": `"cmprod"`, "pub": "true", "iss": `"https://id.trigger.dev"`, "aud": `"https://api.trigger.dev"`,
		"iat": fmt.Sprint(now.Unix()), "exp": fmt.Sprint(now.Unix() + 60), "scopes": `["read:runs"]`,
	}
	for i := 0; i < len(changes); i += 2 {
		if _, known := values[changes[i]]; !known {
			names = append(names, changes[i])
		}
		values[changes[i]] = changes[i+1]
	}
	var members []string
	for _, name := range names {
		if values[name] != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, values[name]))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestRefusedTokens(t *testing.T) {
	const unknown, invalid = `{"error":"Invalid Public Access Token"}`, `{"error":"Public Access Token is invalid"}`
	good := tokenOf(goodHeader, payload(), hs256(prodKey))
	parts := strings.Split(good, ".")
	edited := base64.RawURLEncoding.EncodeToString([]byte(payload("scopes", `["admin"]`)))

	for name, c := range map[string]struct{ token, body string }{
		"alg none":             {tokenOf(`{"alg":"none"}`, payload(), func(string) []byte { return nil }), invalid},
		"alg none, signed":     {tokenOf(`{"alg":"none"}`, payload(), hs256(prodKey)), invalid},
		"alg None":             {tokenOf(`{"alg":"None"}`, payload(), func(string) []byte { return nil }), invalid},
		"alg missing":          {tokenOf(`{}`, payload(), hs256(prodKey)), invalid},
		"alg a list":           {tokenOf(`{"alg":["HS256"]}`, payload(), hs256(prodKey)), invalid},
		"HS512, right key":     {tokenOf(`{"alg":"HS512"}`, payload(), hs512(prodKey)), invalid},
		"HS512 body, HS256":    {tokenOf(goodHeader, payload(), hs512(prodKey)), invalid},
		"header not JSON":      {tokenOf(`x`, payload(), hs256(prodKey)), invalid},
		"critical extension":   {tokenOf(`{"alg":"HS256","crit":["b64"],"b64":false}`, payload(), hs256(prodKey)), invalid},
		"edited payload":       {parts[0] + "." + edited + "." + parts[2], invalid},
		"no signature":         {parts[0] + "." + parts[1] + ".", invalid},
		"padded signature":     {good + "=", invalid},
		"loose base64":         {good[:len(good)-1] + lastBitFlipped(good), invalid},
		"foreign key":          {tokenOf(goodHeader, payload(), hs256(otherKey)), invalid},
		"foreign environment":  {tokenOf(goodHeader, payload("sub", `"cmother"`), hs256(prodKey)), invalid},
		"branch's own key":     {tokenOf(goodHeader, payload("sub", `"cmbranch"`), hs256(branchKey)), invalid},
		"empty key":            {tokenOf(goodHeader, payload("sub", `"cmkeyless"`), hs256("")), invalid},
		"expired":              {tokenOf(goodHeader, payload("exp", fmt.Sprint(now.Unix()-1)), hs256(prodKey)), invalid},
		"expires now":          {tokenOf(goodHeader, payload("exp", fmt.Sprint(now.Unix())), hs256(prodKey)), invalid},
		"exp missing":          {tokenOf(goodHeader, payload("exp", ""), hs256(prodKey)), invalid},
		"exp null":             {tokenOf(goodHeader, payload("exp", "null"), hs256(prodKey)), invalid},
		"exp not a number":     {tokenOf(goodHeader, payload("exp", `"tomorrow"`), hs256(prodKey)), invalid},
		"exp in quotes":        {tokenOf(goodHeader, payload("exp", fmt.Sprintf(`"%d"`, now.Unix()+60)), hs256(prodKey)), invalid},
		"exp and then Exp":     {tokenOf(goodHeader, payload("exp", "1", "Exp", "99999999999"), hs256(prodKey)), invalid},
		"Iss":                  {tokenOf(goodHeader, payload("iss", "", "Iss", `"https://id.trigger.dev"`), hs256(prodKey)), invalid},
		"Sub":                  {tokenOf(goodHeader, payload("sub", "", "Sub", `"cmprod"`), hs256(prodKey)), unknown},
		"not yet":              {tokenOf(goodHeader, payload("nbf", fmt.Sprint(now.Unix()+1)), hs256(prodKey)), invalid},
		"wrong issuer":         {tokenOf(goodHeader, payload("iss", `"https://id.trigger.dev/"`), hs256(prodKey)), invalid},
		"issuer missing":       {tokenOf(goodHeader, payload("iss", ""), hs256(prodKey)), invalid},
		"wrong audience":       {tokenOf(goodHeader, payload("aud", `["https://example.com"]`), hs256(prodKey)), invalid},
		"audience missing":     {tokenOf(goodHeader, payload("aud", ""), hs256(prodKey)), invalid},
		"realtime not object":  {tokenOf(goodHeader, payload("realtime", `["payload"]`), hs256(prodKey)), invalid},
		"skipColumns a string": {tokenOf(goodHeader, payload("realtime", `{"skipColumns":"payload"}`), hs256(prodKey)), invalid},
		"sub missing":          {tokenOf(goodHeader, payload("sub", ""), hs256(prodKey)), unknown},
		"sub empty":            {tokenOf(goodHeader, payload("sub", `""`), hs256(prodKey)), unknown},
		"sub a number":         {tokenOf(goodHeader, payload("sub", `1`), hs256(prodKey)), unknown},
		"sub with NUL":         {tokenOf(goodHeader, payload("sub", `"cmprod\u0000"`), hs256(prodKey)), unknown},
		"sub unknown":          {tokenOf(goodHeader, payload("sub", `"cmnobody"`), hs256(prodKey)), unknown},
		"project deleted":      {tokenOf(goodHeader, payload("sub", `"cmgone"`), hs256(goneKey)), unknown},
	} {
		if !auth.IsPublicToken(c.token) {
			t.Errorf("%s: is not told as a public token", name)
		}
		p, err := newAuthenticator(newDirectory()).Authenticate(t.Context(), header("Bearer "+c.token))
		if p != nil {
			t.Errorf("%s: let in as %+v", name, p.Environment)
		}
		wantError(t, name, err, 401, c.body)
	}
	if _, err := newAuthenticator(newDirectory()).Authenticate(t.Context(), header("Bearer "+good)); err != nil {
		t.Errorf("the token that all of these are made from is refused: %v", err)
	}
}

// lastBitFlipped is the last character of a signature of 32 bytes with one of
// its two unused bits set: loose decoders read the same bytes.
func lastBitFlipped(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, token[len(token)-1])|1])
}

// An environment's key is not an RSA key, but if somebody stored one there, a
// header of RS256 must not turn it into one.
func TestHeaderDoesNotChooseAlgorithm(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{
		Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&private.PublicKey),
	}))
	d := &directory{entries: []auth.Entry{entry(prodID, public, auth.Production)}}
	rs256 := tokenOf(`{"alg":"RS256"}`, payload(), hs256(public))
	_, err = newAuthenticator(d).Authenticate(t.Context(), header("Bearer "+rs256))
	wantError(t, "RS256", err, 401, `{"error":"Public Access Token is invalid"}`)
}

func TestToken(t *testing.T) {
	a := newAuthenticator(newDirectory())
	for name, c := range map[string]struct {
		token string
		want  auth.Principal
		may   string // "" for nothing
	}{
		"plain":          {tokenOf(goodHeader, payload(), hs256(prodKey)), auth.Principal{}, "read"},
		"audience list":  {tokenOf(goodHeader, payload("aud", `["x","https://api.trigger.dev"]`), hs256(prodKey)), auth.Principal{}, "read"},
		"no scopes":      {tokenOf(goodHeader, payload("scopes", ""), hs256(prodKey)), auth.Principal{}, ""},
		"scopes a text":  {tokenOf(goodHeader, payload("scopes", `"read:runs"`), hs256(prodKey)), auth.Principal{}, ""},
		"mixed scopes":   {tokenOf(goodHeader, payload("scopes", `[1,null,"read:runs"]`), hs256(prodKey)), auth.Principal{}, "read"},
		"other scopes":   {tokenOf(goodHeader, payload("scopes", `[]`, "SCOPES", `["read:runs"]`), hs256(prodKey)), auth.Principal{}, ""},
		"delegated":      {tokenOf(goodHeader, payload("act", `{"sub":"user_1"}`, "otu", "false"), hs256(prodKey)), auth.Principal{}, "read"},
		"one time":       {tokenOf(goodHeader, payload("otu", "true"), hs256(prodKey)), auth.Principal{}, "read"},
		"one time, once": {tokenOf(goodHeader, payload("OTU", "true"), hs256(prodKey)), auth.Principal{}, "read"},
		"no realtime":    {tokenOf(goodHeader, payload("realtime", `null`), hs256(prodKey)), auth.Principal{}, "read"},
		"empty realtime": {tokenOf(goodHeader, payload("realtime", `{}`), hs256(prodKey)), auth.Principal{}, "read"},
		"skips": {
			tokenOf(goodHeader, payload("realtime", `{"skipColumns":["payload","output"]}`), hs256(prodKey)),
			auth.Principal{SkipColumns: []string{"payload", "output"}}, "read",
		},
		"skips, spelt twice": {
			tokenOf(goodHeader, payload("realtime", `{"skipColumns":["payload"],"SkipColumns":[]}`, "Realtime", `{}`), hs256(prodKey)),
			auth.Principal{SkipColumns: []string{"payload"}}, "read",
		},
		"skips nothing": {
			tokenOf(goodHeader, payload("realtime", `{"skipColumns":[]}`), hs256(prodKey)),
			auth.Principal{SkipColumns: []string{}}, "read",
		},
	} {
		p, err := a.Authenticate(t.Context(), header("Bearer "+c.token))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want.Environment = newDirectory().entries[0].Environment
		c.want.Expires, c.want.Public = now.Add(time.Minute), true
		if name == "one time" {
			c.want.OneTimeUse = fmt.Sprintf("%x", sha256.Sum256([]byte(c.token)))
		}
		if diff := cmp.Diff(c.want, *p, cmpopts.IgnoreTypes(auth.Scopes{})); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if got := p.May("read", auth.Resource{Type: "runs"}); got != (c.may == "read") {
			t.Errorf("%s: may read runs: %v", name, got)
		}
		if p.May("write", auth.Resource{Type: "runs"}) {
			t.Errorf("%s: may write", name)
		}
	}
}

func TestSignedTokenIsAccepted(t *testing.T) {
	a := newAuthenticator(newDirectory())
	for _, skip := range [][]string{nil, {}, {"payload"}} {
		text := sign(t, prodKey, auth.Token{EnvironmentID: prodID, Scopes: []string{"read:tags:a:b"}, SkipColumns: skip})
		p, err := a.Authenticate(t.Context(), header("Bearer "+text))
		if err != nil {
			t.Fatal(err)
		}
		if !p.May("read", auth.Resource{Type: "tags", ID: "a:b"}) || p.May("read", auth.Resource{Type: "tags"}) {
			t.Error("the scopes of the token are not those that were signed")
		}
		if diff := cmp.Diff(skip, p.SkipColumns); diff != "" {
			t.Errorf("skipColumns (-signed +read):\n%s", diff)
		}
		if !p.Expires.Equal(now.Add(time.Hour)) {
			t.Errorf("expires %v", p.Expires)
		}
	}
}

// The bound is on the header, whatever is in it: a token beyond it is refused
// although its signature is right.
func TestTokenLength(t *testing.T) {
	a := newAuthenticator(newDirectory())
	ofLength := func(n int) string { // of the header
		for padding := 0; ; padding++ {
			token := tokenOf(goodHeader, payload("x", fmt.Sprintf("%q", strings.Repeat("x", n/2+padding))), hs256(prodKey))
			if len("Bearer "+token) >= n {
				return token
			}
		}
	}
	if _, err := a.Authenticate(t.Context(), header("Bearer "+ofLength(8<<10-2))); err != nil {
		t.Errorf("a token within the bound: %v", err)
	}
	_, err := a.Authenticate(t.Context(), header("Bearer "+ofLength(8<<10+1)))
	wantError(t, "a token beyond the bound", err, 401, `{"error":"Invalid API key"}`)
}

// The payload that other services read, member by member.
func TestSignedPayload(t *testing.T) {
	text := sign(t, prodKey, auth.Token{EnvironmentID: prodID})
	got, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"iss":"https://id.trigger.dev","sub":"cmprod","aud":["https://api.trigger.dev"],` +
		`"exp":1767326645,"iat":1767322985,"pub":true,"scopes":[]}`
	if string(got) != want {
		t.Errorf("payload %s,\nwant    %s", got, want)
	}
}

func TestSignRefuses(t *testing.T) {
	good := auth.Token{EnvironmentID: prodID, IssuedAt: now, Expires: now.Add(time.Second)}
	if _, err := auth.Sign(prodKey, good); err != nil {
		t.Fatal(err)
	}
	noID, ended := good, good
	noID.EnvironmentID, ended.Expires = "", now
	for name, c := range map[string]struct {
		key   auth.Key
		token auth.Token
	}{"no key": {"", good}, "no environment": {prodKey, noID}, "ended": {prodKey, ended}} {
		if text, err := auth.Sign(c.key, c.token); err == nil || text != "" {
			t.Errorf("%s: signed %q", name, text)
		}
	}
}
