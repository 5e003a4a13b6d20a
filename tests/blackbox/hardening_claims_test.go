package blackbox

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// Prevents that a key opens more than its own environment: a token is checked
// with the key of the environment that it names.
func tokensOfAnotherEnvironment(w *world) {
	ours, theirs := w.ours, w.theirs
	w.refuses("for us, signed with their key", jws(goodHeader, ours.claims(), theirs.key, sha256.New), invalidToken)
	w.refuses("for them, signed with our key", jws(goodHeader, theirs.claims(), ours.key, sha256.New), invalidToken)
	w.refuses("for nobody", jws(goodHeader, ours.claims("sub", `"env_nobody"`), ours.key, sha256.New), unknownToken)
	w.refuses("for us and then for them", jws(goodHeader, `{"sub":"env_ours",`+theirs.claims()[1:], ours.key, sha256.New), invalidToken)
	for _, sub := range []string{`""`, `null`, `1`, `["env_ours"]`, `{"a":"env_ours"}`, `" env_ours"`, `"env_ours\u0000"`, `"ENV_OURS"`, `"env_%"`, `"' OR ''='"`} {
		w.refuses("sub "+sub, jws(goodHeader, ours.claims("sub", sub), ours.key, sha256.New), unknownToken)
	}
	// Theirs is good, and has their rows.
	token := jws(goodHeader, theirs.claims(), theirs.key, sha256.New)
	for feed, path := range ours.feeds() {
		got := w.get(with(path, "offset=-1"), token)
		if strings.Contains(got.body, ours.canary) || got.status != 404 && (got.status != 200 || !strings.Contains(got.body, theirs.canary)) {
			w.t.Errorf("their token on our feed of %s: %d %.200s", feed, got.status, got.body)
		}
	}
}

// Prevents that a token of other services, or one without an end, opens a feed.
func claimsThatAreRefused(w *world) {
	n, now := w.ours, time.Now().Unix()
	for _, c := range [][2]string{
		{"iss", `"https://id.example"`}, {"iss", ""}, {"iss", `["https://id.trigger.dev"]`}, {"aud", `"https://api.example"`}, {"aud", ""}, {"aud", `[]`},
		{"exp", ""}, {"exp", "null"}, {"exp", "0"}, {"exp", "-1"}, {"exp", fmt.Sprint(now)}, {"exp", `"` + fmt.Sprint(now+60) + `"`}, {"nbf", fmt.Sprint(now + 3600)}, {"iat", `"x"`},
	} {
		w.refuses(c[0]+" "+c[1], jws(goodHeader, n.claims(c[0], c[1]), n.key, sha256.New), invalidToken)
	}
	for _, pub := range []string{"", "false", "null", `"true"`, "1"} { // is no public token then, nor a key
		w.refuses("pub "+pub, jws(goodHeader, n.claims("pub", pub), n.key, sha256.New), invalidKey)
	}
	for _, scopes := range []string{"", "null", `"admin"`, `{"admin":true}`, `[["admin"]]`, `[{"scope":"admin"}]`, `[null,1,true]`} {
		got := w.get("/realtime/v1/runs?offset=-1", jws(goodHeader, n.claims("scopes", scopes), n.key, sha256.New))
		if got.status != 403 {
			w.t.Errorf("scopes %s: %d %.200s", scopes, got.status, got.body)
		}
	}
}

// Prevents that a claim is read here that the platform does not read: the names
// of claims are taken as they are written.
func namesOfClaims(w *world) {
	n := w.ours
	for _, c := range [][2]string{{"exp", "EXP"}, {"exp", "Exp"}, {"iss", "ISS"}, {"aud", "Aud"}} {
		value := map[string]string{"exp": fmt.Sprint(time.Now().Unix() + 60), "iss": `"https://id.trigger.dev"`, "aud": `"https://api.trigger.dev"`}[c[0]]
		w.refuses(c[1]+" instead of "+c[0], jws(goodHeader, n.claims(c[0], "", c[1], value), n.key, sha256.New), invalidToken)
	}
	w.refuses("SUB", jws(goodHeader, n.claims("sub", "", "SUB", `"env_ours"`), n.key, sha256.New), unknownToken)
	w.refuses("PUB", jws(goodHeader, n.claims("pub", "", "PUB", "true"), n.key, sha256.New), invalidKey)
	w.refuses("an end and then an End", jws(goodHeader, n.claims("exp", "1", "Exp", "99999999999"), n.key, sha256.New), invalidToken)
	w.refuses("a subject and then a Subject", jws(goodHeader, n.claims("sub", `"env_theirs"`, "Sub", `"env_ours"`), n.key, sha256.New), invalidToken)
	for _, name := range []string{"SCOPES", "Scopes", "ſcopes"} { // the last is a look-alike that folds to s
		got := w.get("/realtime/v1/runs?offset=-1", jws(goodHeader, n.claims("scopes", `[]`, name, `["admin"]`), n.key, sha256.New))
		if got.status != 403 {
			w.t.Errorf("%s: %d %.200s", name, got.status, got.body)
		}
	}
	for _, hidden := range []string{
		`"realtime":{"skipColumns":["payload"]},"Realtime":{"skipColumns":[]}`, `"realtime":{"skipColumns":["payload"],"SkipColumns":[]}`,
	} {
		payload := strings.TrimSuffix(n.claims(), "}") + "," + hidden + "}"
		got := w.get("/realtime/v1/runs?offset=-1", jws(goodHeader, payload, n.key, sha256.New))
		if got.status != 200 || strings.Contains(got.body, `"payload"`) {
			w.t.Errorf("%s shows the payload: %d %.300s", hidden, got.status, got.body)
		}
	}
}

// Prevents that what is not a secret key of an environment is taken for one.
func keysThatAreRefused(w *world) {
	ago := time.Now().Add(-2 * time.Hour)
	for name, text := range map[string]string{
		"unknown": "tr_prod_nobody", "public": "pk_env_ours", "upper case": strings.ToUpper(w.ours.key), "cut": w.ours.key[:len(w.ours.key)-1], "longer": w.ours.key + "0",
		"SQL": "' OR ''='", "pattern": "tr_prod_%", "the environment's id": w.ours.env, "two keys": w.ours.key + "," + w.ours.key, "two words": w.ours.key + " " + w.ours.key,
		"another scheme": "Basic " + w.ours.key, "percent": strings.ReplaceAll(w.ours.key, "_", "%5f"), "quoted": `"` + w.ours.key + `"`, "not ASCII": w.ours.key + "é",
	} {
		w.refuses(name, text, invalidKey)
	}
	w.refuses("none", "", missingKey)
	w.refuses("expired", sign(w.t, w.ours.key, auth.Token{EnvironmentID: w.ours.env, Scopes: []string{"admin"}, IssuedAt: ago, Expires: ago.Add(time.Hour)}), invalidToken)
	w.opens("the key", w.ours.key)
}
