package blackbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"time"
)

// The platform's texts of a 401.
const (
	missingKey   = `{"error":"Invalid or Missing API key"}`
	invalidKey   = `{"error":"Invalid API key"}`
	invalidToken = `{"error":"Public Access Token is invalid"}`
	unknownToken = `{"error":"Invalid Public Access Token"}`
)

const goodHeader = `{"alg":"HS256","typ":"JWT"}`

// jws puts a token together by hand, of any header and any payload. Without a
// hash it has no signature.
func jws(header, payload, key string, of func() hash.Hash) string {
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(header)) + "." + part([]byte(payload))
	if of == nil {
		return text + "."
	}
	mac := hmac.New(of, []byte(key))
	mac.Write([]byte(text))
	return text + "." + part(mac.Sum(nil))
}

// claims are those of a good token of the tenant, with members replaced: "exp",
// "1" sets exp, and "exp", "" leaves it out.
func (n tenant) claims(changes ...string) string {
	names := []string{"iss", "aud", "sub", "pub", "scopes", "exp"}
	values := map[string]string{
		"iss": `"https://id.trigger.dev"`, "aud": `"https://api.trigger.dev"`, "sub": `"` + n.env + `"`,
		"pub": "true", "scopes": `["admin"]`, "exp": fmt.Sprint(time.Now().Add(time.Hour).Unix()),
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
			members = append(members, `"`+name+`":`+values[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// refuses wants a 401 with this text from every feed, and nothing of a feed.
func (w *world) refuses(name, credential, body string) {
	w.t.Helper()
	for feed, path := range w.ours.feeds() {
		got := w.get(with(path, "offset=-1"), credential)
		if got.status != http.StatusUnauthorized || got.body != body || got.header.Get("Cache-Control") != "no-store" || len(electricHeaders(got.header)) > 0 {
			w.t.Errorf("%s on the feed of %s: %d %.200s %v, want a 401 %s", name, feed, got.status, got.body, got.header, body)
		}
	}
}

// opens wants all rows of our environment from a token, so that a refusal of its
// like is for the one thing that was changed.
func (w *world) opens(name, credential string) {
	w.t.Helper()
	if got := w.get("/realtime/v1/runs?offset=-1", credential); got.status != 200 || !strings.Contains(got.body, w.ours.canary) || strings.Contains(got.body, w.theirs.canary) {
		w.t.Errorf("%s: %d %.200s", name, got.status, got.body)
	}
}

// Prevents that a token chooses how it is checked: one that names another
// algorithm is refused, whoever signed it.
func algorithmOfTheToken(w *world) {
	n := w.ours
	for _, alg := range []string{
		"none", "None", "NONE", "nOnE", "", "hs256", "Hs256", "HS256 ", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES512", "EdDSA", "dir", "A128KW", "HS256\\u0000",
	} {
		header := `{"alg":"` + alg + `","typ":"JWT"}`
		for name, of := range map[string]func() hash.Hash{"unsigned": nil, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New} {
			w.refuses(fmt.Sprintf("alg %q, %s", alg, name), jws(header, n.claims(), n.key, of), invalidToken)
		}
	}
	for _, header := range []string{
		`{}`, `{"alg":null}`, `{"alg":256}`, `{"alg":["HS256"]}`, `{"ALG":"HS256"}`, `{"Alg":"HS256"}`, `{"alg":"HS256","alg":"none"}`, `{"alg":"HS256","alg":"HS512"}`,
		`{"alg":"HS256"`, `"HS256"`, `null`, `[]`, ``, `{"alg":"HS256"}{"alg":"HS256"}`, `{"alg":"HS256","crit":["exp"]}`, `{"alg":"HS256","b64":false,"crit":["b64"]}`,
	} {
		w.refuses(header, jws(header, n.claims(), n.key, sha256.New), invalidToken)
		w.refuses(header+" unsigned", jws(header, n.claims(), n.key, nil), invalidToken)
	}
	// Of two members JSON takes the last. Who can sign with the key needs no trick.
	two := `{"alg":"none","alg":"HS256"}`
	w.refuses(two+" unsigned", jws(two, n.claims(), n.key, nil), invalidToken)
	w.refuses(two+" signed by another", jws(two, n.claims(), w.theirs.key, sha256.New), invalidToken)
	w.opens("HS256", jws(goodHeader, n.claims(), n.key, sha256.New))
}

// Prevents that a token brings the key that it is checked with, or makes the
// gateway fetch one: nothing in a header is looked at but the algorithm.
func keysInTheHeader(w *world) {
	n := w.ours
	trap := newTrap(w.t)
	const own = "a key of my own, long enough"
	oct := base64.RawURLEncoding.EncodeToString([]byte(own))
	for _, member := range []string{
		`"jwk":{"kty":"oct","k":"` + oct + `"}`, `"jku":"` + trap.url + `/jwks.json"`, `"x5u":"` + trap.url + `/cert.pem"`, `"x5c":["` + oct + `"]`, `"kid":"` + trap.url + `"`,
		`"kid":"../../../../dev/null"`, `"kid":"env_theirs"`, `"kid":"' UNION SELECT '` + own + `' --"`, `"iss":"` + trap.url + `"`, `"typ":"` + trap.url + `"`, `"cty":"JWT"`, `"zip":"DEF"`,
	} {
		header := `{"alg":"HS256",` + member + `}`
		w.refuses(header, jws(header, n.claims(), own, sha256.New), invalidToken)
		w.refuses(header+" with no key", jws(header, n.claims(), "", sha256.New), invalidToken)
		w.opens(header, jws(header, n.claims(), n.key, sha256.New))
	}
	if asked := trap.asked(); len(asked) > 0 {
		w.t.Errorf("the gateway asked for %q", asked)
	}
}

// Prevents that a token without a signature is as good as one with it.
func unsignedTokens(w *world) {
	parts := strings.Split(w.ours.token("admin"), ".")
	for name, token := range map[string]string{
		"empty signature":     parts[0] + "." + parts[1] + ".",
		"signature of blanks": parts[0] + "." + parts[1] + ".AAAA",
		"zeros":               parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43),
		"padding":             parts[0] + "." + parts[1] + ".====",
		"payload twice":       parts[0] + "." + parts[1] + "." + parts[1],
	} {
		w.refuses(name, token, invalidToken)
	}
	for name, text := range map[string]string{ // not told as a token, and no key
		"two parts": parts[0] + "." + parts[1], "four parts": w.ours.token("admin") + ".", "five parts": strings.Repeat(parts[0]+".", 4) + parts[2],
		"payload alone": parts[1], "dots": "..", "a comma": parts[0] + "," + parts[1] + "," + parts[2],
	} {
		w.refuses(name, text, invalidKey)
	}
}

// Prevents that somebody who has a token makes more of it: whatever character of
// it is changed, it is none.
func editedTokens(w *world) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	good := jws(goodHeader, w.ours.claims("scopes", `["read:tags:a"]`), w.ours.key, sha256.New)
	var edited []string
	for i := range good {
		at := strings.IndexByte(alphabet, good[i])
		if at < 0 { // a dot
			edited = append(edited, good[:i]+good[i+1:], good[:i]+"A"+good[i+1:])
			continue
		}
		other := alphabet[(at+1)%len(alphabet)]
		edited = append(edited, good[:i]+string(other)+good[i+1:], good[:i]+good[i+1:], good[:i])
	}
	for _, c := range []byte(alphabet) { // two bits of the last character stand for nothing
		if last := len(good) - 1; c != good[last] {
			edited = append(edited, good[:last]+string(c))
		}
	}
	for _, end := range []string{"=", "A", "AA", ".", "%", "~", "=="} {
		edited = append(edited, good+end)
	}
	each(edited, func(token string) {
		got, err := w.try(w.request("GET", "/realtime/v1/runs?tags=a&offset=-1", token))
		if err != nil || got.status != 401 {
			w.t.Errorf("%s instead of %s: %d %.100s, %v", token, good, got.status, got.body, err)
		}
	})
	parts := strings.Split(good, ".")
	for _, payload := range []string{w.ours.claims(), w.ours.claims("sub", `"env_theirs"`), w.ours.claims("exp", "99999999999")} {
		w.refuses(payload, parts[0]+"."+base64.RawURLEncoding.EncodeToString([]byte(payload))+"."+parts[2], invalidToken)
	}
	if got := w.get("/realtime/v1/runs?tags=a&offset=-1", good); got.status != 200 {
		w.t.Errorf("the token itself: %d %s", got.status, got.body)
	}
}

// Prevents that a credential as large as anybody likes is decoded, hashed and
// looked for: 9 KiB are a 401 and a megabyte is not even read.
func aTokenOfAMegabyte(w *world) {
	long := func(n int) string {
		return jws(goodHeader, w.ours.claims("x", `"`+strings.Repeat("x", n)+`"`), w.ours.key, sha256.New)
	}
	w.opens("4 KiB", long(4<<10))
	w.refuses("9 KiB and well signed", long(9<<10), invalidKey)
	w.refuses("9 KiB of dots", strings.Repeat(".", 9<<10), invalidKey)
	c := w.wire()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.send("GET /realtime/v1/runs?offset=-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + long(1<<20) + "\r\n\r\n")
	}()
	if got := c.must("GET"); got.status != http.StatusRequestHeaderFieldsTooLarge || got.header.Get("Connection") != "close" {
		w.t.Errorf("a token of 1 MiB is a %d %v", got.status, got.header)
	}
	_ = c.conn.Close()
	<-sent
}
