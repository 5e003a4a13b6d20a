package blackbox

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// The platform's texts of a 401.
const (
	missingKey   = `{"error":"Invalid or Missing API key"}`
	invalidKey   = `{"error":"Invalid API key"}`
	invalidToken = `{"error":"Public Access Token is invalid"}`
	unknownToken = `{"error":"Invalid Public Access Token"}`
)

// forged is a token of ours with other claims or another algorithm.
func forged(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": "https://id.trigger.dev", "aud": "https://api.trigger.dev", "sub": "env_ours", "pub": true,
		"scopes": []string{"admin"}, "exp": time.Now().Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	text, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every credential that is not good gets the platform's answer, on every route,
// and nothing of a feed.
func TestCredentialsThatAreRefused(t *testing.T) {
	w := newWorld(t, settings{})
	ours := []byte(w.ours.key)
	hour, ago := time.Now().Add(time.Hour), time.Now().Add(-2*time.Hour)
	good := w.ours.token("admin")
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct{ credential, body string }{
		"none":           {"", missingKey},
		"wrong key":      {"tr_prod_nobody", invalidKey},
		"public key":     {"pk_env_ours", invalidKey},
		"key's case":     {strings.ToUpper(w.ours.key), invalidKey},
		"key cut":        {w.ours.key[:len(w.ours.key)-1], invalidKey},
		"SQL":            {"' OR ''='", invalidKey},
		"expired":        {sign(t, w.ours.key, auth.Token{EnvironmentID: w.ours.env, Scopes: []string{"admin"}, IssuedAt: ago, Expires: ago.Add(time.Hour)}), invalidToken},
		"foreign key":    {sign(t, w.theirs.key, auth.Token{EnvironmentID: w.ours.env, Scopes: []string{"admin"}, IssuedAt: ago, Expires: hour}), invalidToken},
		"unknown env":    {sign(t, w.ours.key, auth.Token{EnvironmentID: "env_nobody", Scopes: []string{"admin"}, IssuedAt: ago, Expires: hour}), unknownToken},
		"alg none":       {forged(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), invalidToken},
		"no signature":   {parts[0] + "." + parts[1] + ".", invalidToken},
		"HS512":          {forged(t, jwt.SigningMethodHS512, ours, nil), invalidToken},
		"HS384":          {forged(t, jwt.SigningMethodHS384, ours, nil), invalidToken},
		"other issuer":   {forged(t, jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { c["iss"] = "https://id.example" }), invalidToken},
		"other audience": {forged(t, jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { c["aud"] = "https://api.example" }), invalidToken},
		"for ever":       {forged(t, jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { delete(c, "exp") }), invalidToken},
		"no subject":     {forged(t, jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { delete(c, "sub") }), unknownToken},
		"other payload":  {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"pub":true,"sub":"env_theirs"}`)) + "." + parts[2], invalidToken},
		"9 KiB":          {strings.Repeat("x", 9<<10), invalidKey},
	} {
		for feed, path := range w.ours.feeds() {
			got := w.get(with(path, "offset=-1"), c.credential)
			if got.status != http.StatusUnauthorized || got.body != c.body {
				t.Errorf("%s on the feed of %s: %d %s, want a 401 %s", name, feed, got.status, got.body, c.body)
			}
			if got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: cache-control is %q", name, got.header.Get("Cache-Control"))
			}
		}
	}
	if got := w.get("/realtime/v1/runs?offset=-1", good); got.status != 200 {
		t.Errorf("the good token: %d %s", got.status, got.body)
	}
	for _, secret := range []string{w.ours.key, w.theirs.key, good, parts[1], parts[2]} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("a credential is in the log")
		}
	}
}

// A header beyond all measure is refused by the server itself, and its rest is
// not read.
func TestATokenOfAMegabyte(t *testing.T) {
	w := newWorld(t, settings{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, "GET /realtime/v1/runs?offset=-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a token of 1 MiB is a %d", res.StatusCode)
	}
	_ = conn.Close()
	<-sent
}

// Two credentials are none: a proxy in front and the gateway could read one each.
func TestTwoCredentials(t *testing.T) {
	w := newWorld(t, settings{})
	r := w.request("GET", "/realtime/v1/runs?offset=-1", w.ours.key)
	r.Header.Add("Authorization", "Bearer "+w.theirs.key)
	if got := w.do(r); got.status != 401 || got.body != invalidKey {
		t.Errorf("%d %s", got.status, got.body)
	}
}
