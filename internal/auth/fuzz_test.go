package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// Whatever stands in the header, the answer is a 401 that does not repeat it, and
// no panic.
func FuzzAuthorization(f *testing.F) {
	f.Add("Bearer " + tokenOf(goodHeader, payload(), hs256("not the key")))
	a := newAuthenticator(newDirectory())
	f.Fuzz(func(t *testing.T, authorization string) {
		if strings.Contains(authorization, "tr_") {
			return // it may hold a key of the directory
		}
		p, err := a.Authenticate(t.Context(), header(authorization))
		refusal, ok := errors.AsType[*auth.Error](err)
		if p != nil || !ok || refusal.Status != 401 {
			t.Fatalf("%q: %+v, %v", authorization, p, err)
		}
		for _, word := range strings.Fields(authorization) {
			if len(word) > 12 && (strings.Contains(refusal.Error(), word) || strings.Contains(string(refusal.Body()), word)) {
				t.Fatalf("%q is repeated in %v, %s", word, refusal, refusal.Body())
			}
		}
	})
}

// A token that an environment's key has signed, whatever it says: who is let in is
// in that environment, with a public token of the platform that has not ended. The
// same text with another signature lets nobody in.
func FuzzSignedToken(f *testing.F) {
	a := newAuthenticator(newDirectory())
	f.Fuzz(func(t *testing.T, head, body string, bit uint) {
		token := tokenOf(head, body, hs256(prodKey))
		p, err := a.Authenticate(t.Context(), header("Bearer "+token))
		if err != nil {
			if refusal, ok := errors.AsType[*auth.Error](err); !ok || refusal.Status != 401 || p != nil {
				t.Fatalf("%s %s: %+v, %v", head, body, p, err)
			}
			return
		}
		var said struct {
			Sub, Iss string
			Pub      bool
			Aud      any
			Exp, Nbf float64
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			t.Fatalf("%s was taken: %v", body, err)
		}
		audience, _ := said.Aud.([]any)
		switch {
		case p.Environment.ID != prodID || said.Sub != prodID:
			t.Errorf("%s is let into %s", body, p.Environment.ID)
		case said.Iss != "https://id.trigger.dev" || said.Aud != any("https://api.trigger.dev") && !slices.Contains(audience, any("https://api.trigger.dev")):
			t.Errorf("%s is from %q, for %v", body, said.Iss, said.Aud)
		case !said.Pub || said.Exp <= float64(now.Unix()) || said.Nbf > float64(now.Unix()) || !p.Expires.After(now):
			t.Errorf("%s is good until %v", body, p.Expires)
		}
		var alg struct{ Alg string }
		if err := json.Unmarshal([]byte(head), &alg); err != nil || alg.Alg != "HS256" {
			t.Errorf("%s was taken: %v", head, err)
		}
		dot := strings.LastIndexByte(token, '.') + 1
		mac, err := base64.RawURLEncoding.DecodeString(token[dot:])
		if err != nil {
			t.Fatal(err)
		}
		mac[bit/8%uint(len(mac))] ^= 1 << (bit % 8)
		if p, err := a.Authenticate(t.Context(), header("Bearer "+token[:dot]+base64.RawURLEncoding.EncodeToString(mac))); err == nil {
			t.Errorf("%s with a bit changed is let in as %+v", token, p)
		}
	})
}
