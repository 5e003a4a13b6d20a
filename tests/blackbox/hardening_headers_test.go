package blackbox

import (
	"net/http"
	"strings"
)

// Prevents that a header which only looks like a known one, or which some proxy
// would obey, counts here: who asks stands in Authorization, once, and what is
// asked in the request line.
func headerAliases(w *world) {
	const path = "/realtime/v1/runs?offset=-1"
	bearer := "Bearer " + w.ours.key
	for _, h := range []string{
		"Authorization_: " + bearer, "_Authorization: " + bearer, "Authorization.: " + bearer, "Authorization-: " + bearer, "X-Authorization: " + bearer, "X_Authorization: " + bearer,
		"Proxy-Authorization: " + bearer, "HTTP_AUTHORIZATION: " + bearer, "X-Forwarded-Authorization: " + bearer, "WWW-Authenticate: " + bearer, "X-Api-Key: " + w.ours.key,
		"Cookie: authorization=" + w.ours.key, "Cookie: token=" + w.ours.key, "X-Forwarded-User: env_ours", "Remote-User: env_ours", "Remote_User: env_ours", "X-Trigger-Environment: env_ours",
		"Sec-WebSocket-Protocol: " + w.ours.key,
	} {
		if got := w.raw("GET", path, "", h); got.status != 401 || got.body != missingKey {
			w.t.Errorf("%s: %d %.100s", h, got.status, got.body)
		}
		// and beside one that is good for somebody else it changes nothing
		if got := w.raw("GET", path, w.theirs.key, h); got.status != 200 || strings.Contains(got.body, w.ours.canary) {
			w.t.Errorf("%s beside their key: %d %.100s", h, got.status, got.body)
		}
	}
	for _, query := range []string{"authorization=", "Authorization=Bearer+", "token=", "apiKey=", "access_token=", "secret=", "jwt="} {
		if got := w.raw("GET", path+"&"+query+w.ours.key, ""); got.status != 401 || got.body != missingKey {
			w.t.Errorf("?%s: %d %.100s", query, got.status, got.body)
		}
	}
	// A name with a blank before its colon, or with a NUL, is no header.
	for _, h := range []string{"Authorization : " + bearer, "Authorization\t: " + bearer, "Authorization\x00: " + bearer, "Authorizati\xf6n: " + bearer, " Authorization: " + bearer} {
		if got := w.raw("GET", path, "", h); got.status != 400 && got.status != 401 {
			w.t.Errorf("%q: %d %.100s", h, got.status, got.body)
		}
	}
	// Two credentials are none: a proxy in front and the gateway could read one each.
	for _, second := range []string{"Authorization: " + bearer, "authorization: Bearer " + w.theirs.key, "AUTHORIZATION: ", "Authorization: x"} {
		if got := w.raw("GET", path, w.ours.key, second); got.status != 401 || got.body != invalidKey {
			w.t.Errorf("two credentials, %s: %d %.100s", second, got.status, got.body)
		}
	}
	plain := w.raw("GET", path, w.ours.key)
	for _, h := range []string{
		"X-Original-URL: /healthz", "X-Rewrite-URL: /realtime/v1/runs/" + w.theirs.v2.FriendlyID, "X-HTTP-Method-Override: DELETE", "X-Method-Override: POST", "X-Forwarded-Prefix: /x", "X-Forwarded-Path: /healthz",
		"X-Forwarded-For: 127.0.0.1", "X_Forwarded_For: 127.0.0.1", "X-Forwarded-Host: upstream.internal", "X-Forwarded-Proto: https", "Forwarded: for=127.0.0.1;host=upstream.internal", "X-Real-IP: 127.0.0.1",
		"Electric-Handle: 1-2", "Electric-Offset: 2_0", "X-Trigger-Branch: main", "X_Trigger_Branch: main", "If-None-Match: *", "Range: bytes=0-0", "Accept: text/html", "Accept-Encoding: gzip", "Expect: 100-continue",
		"Connection: Authorization", "TE: trailers", "Trailer: Authorization", "Upgrade: websocket", "Max-Forwards: 0", "Cache-Control: only-if-cached",
	} {
		if got := w.raw("GET", path, w.ours.key, h); !same(got, plain) {
			w.t.Errorf("%s: %d %.100s", h, got.status, got.body)
		}
	}
}

// Prevents that a page of another origin reads a feed with what the browser
// keeps for its user: no answer allows credentials, and a cookie is none.
func neverWithCredentials(w *world) {
	theirs := w.ours.run(w.theirs.v2)
	for _, origin := range []string{"https://evil.example", "null", "*", "https://a.example, https://b.example", "x", ""} {
		for path, want := range map[string]int{
			"/realtime/v1/runs?offset=-1": 200, "/realtime/v1/runs?offset=1_0&handle=x": 409, "/realtime/v1/runs": 400, theirs + "?offset=-1": 404, "/realtime/v1/runs/x?offset=-1": 400,
			"/realtime/v1/streams/x/y": 501, "/realtime/v1/nothing": 404, "/nothing": 404, "/healthz": 200, "/readyz": 200,
		} {
			for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodPost, "BREW"} {
				for _, credential := range []string{w.ours.key, ""} {
					got := w.raw(method, path, credential, "Origin: "+origin, "Cookie: authorization=Bearer "+w.ours.key, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization", "Access-Control-Request-Private-Network: true")
					line := method + " " + path + " from " + origin
					if method == http.MethodGet && credential != "" && got.status != want {
						w.t.Errorf("%s: %d, want %d", line, got.status, want)
					}
					for _, name := range []string{"Access-Control-Allow-Credentials", "Access-Control-Allow-Private-Network", "Set-Cookie", "Www-Authenticate"} {
						if got.header.Get(name) != "" {
							w.t.Errorf("%s: %s is %q", line, name, got.header.Get(name))
						}
					}
					if allowed := got.header.Values("Access-Control-Allow-Origin"); len(allowed) > 1 || len(allowed) == 1 && allowed[0] != origin {
						w.t.Errorf("%s: allowed is %q", line, allowed)
					}
					if credential == "" && strings.Contains(got.body, "CANARY") {
						w.t.Errorf("%s: a cookie opens it", line)
					}
				}
			}
		}
	}
}
