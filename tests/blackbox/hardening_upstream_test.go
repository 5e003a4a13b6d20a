package blackbox

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// columns are those of every feed that hides nothing.
const columns = `"baseCostInCents","completedAt","costInCents","createdAt","delayUntil","error","expiredAt","friendlyId","id","isTest","metadata","metadataType",` +
	`"number","output","outputType","payload","payloadType","queuedAt","realtimeStreams","runTags","startedAt","status","taskIdentifier","ttl","updatedAt","usageDurationMs"`

// asks is what the gateway may send for a feed, byte for byte: the position is the
// upstream's own, and everything else stands here.
func asks(where string, params ...string) *regexp.Regexp {
	const floor = `20\d\d-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d\d\dZ`
	text := regexp.QuoteMeta("GET /v1/shape?columns=" + url.QueryEscape(columns) + "&log=full")
	for i, p := range params {
		text += regexp.QuoteMeta(fmt.Sprintf("&params%%5B%d%%5D=", i+1))
		if p == "floor" {
			text += floor
		} else {
			text += regexp.QuoteMeta(url.QueryEscape(p))
		}
	}
	text += `&table=public\.(%22TaskRun%22|task_run_v2)` + regexp.QuoteMeta("&where="+url.QueryEscape(where)) +
		`&offset=(-1|\d+_(\d+|inf)&handle=\d+-\d+(&live=true)?)` + regexp.QuoteMeta("&secret="+url.QueryEscape(secret)+" HTTP/1.1\r\nHost: upstream.internal\r\nUser-Agent: Go-http-client/1.1\r\n\r\n")
	return regexp.MustCompile("^" + text + "$")
}

// Prevents that a client reads what it likes through the upstream: table, where,
// columns, params, replica, secret and all else are made here, and of the client's
// request nothing goes on but the values that a feed binds.
func TestNothingOfTheRequestGoesUpstream(t *testing.T) {
	u := &tapped{t: t}
	w := newWorld(t, settings{around: u.around})
	n := w.ours
	const byTags = `"runtimeEnvironmentId" = $1 AND "runTags" @> ARRAY[$2] AND "createdAt" > $3`
	injection := `x' OR runtimeEnvironmentId = 'env_theirs' -- &where=true`
	wants := map[string]*regexp.Regexp{
		n.run(n.legacy):            asks(`"runtimeEnvironmentId" = $1 AND "id" = $2`, n.env, n.legacy.ID),
		n.run(n.v2):                asks(`"runtimeEnvironmentId" = $1 AND "id" = $2`, n.env, n.v2.ID),
		"/realtime/v1/runs":        asks(`"runtimeEnvironmentId" = $1 AND "createdAt" > $2`, n.env, "floor"),
		"/realtime/v1/runs?tags=a": asks(byTags, n.env, "a", "floor"),
		"/realtime/v1/runs?tags=" + url.QueryEscape(injection): asks(byTags, n.env, injection, "floor"),
		"/realtime/v1/batches/" + n.batch.FriendlyID:           asks(`"runtimeEnvironmentId" = $1 AND "batchId" = $2`, n.env, n.batch.ID),
	}
	const query = "&where=HOSTILE&where=true&table=HOSTILE&columns=HOSTILE&params[1]=HOSTILE&params%5B2%5D=HOSTILE&params=HOSTILE&replica=full&secret=HOSTILE&api_secret=HOSTILE&source_id=HOSTILE&database_id=HOSTILE" +
		"&cache-buster=HOSTILE&expired_handle=HOSTILE&log=full&cursor=HOSTILE&skipColumns=HOSTILE&subset=HOSTILE&shape_handle=HOSTILE&runtimeEnvironmentId=HOSTILE&HOSTILE=1&HOSTILE&%26where=HOSTILE&x=%26where%3DHOSTILE&x=%0d%0aX-Hostile:HOSTILE"
	const headers = "X-Hostile: HOSTILE\r\nCookie: HOSTILE\r\nElectric-Handle: HOSTILE\r\nElectric-Offset: HOSTILE\r\nIf-None-Match: HOSTILE\r\nReferer: HOSTILE\r\nUser-Agent: HOSTILE\r\nOrigin: HOSTILE\r\nForwarded: for=HOSTILE\r\n" +
		"X-Forwarded-For: HOSTILE\r\nX-Request-Id: HOSTILE\r\nTraceparent: HOSTILE\r\nBaggage: HOSTILE\r\nAccept: HOSTILE\r\nAccept-Encoding: HOSTILE\r\nRange: HOSTILE\r\nConnection: HOSTILE\r\nTE: HOSTILE\r\nTrailer: HOSTILE\r\nContent-Length: 7\r\n"
	hostile := func(path, position string) reply {
		c := w.wire()
		defer c.conn.Close()
		c.send("GET " + with(path, position) + query + " HTTP/1.1\r\nHost: HOSTILE\r\n" + headers + "Authorization: Bearer " + n.key + "\r\n\r\nHOSTILE")
		if strings.Contains(position, "live") { // it is held: enough that it was asked
			w.until("the upstream", func() bool { return u.count() > 0 })
			return reply{}
		}
		got := c.must("GET")
		if got.status != 200 || strings.Contains(got.body, w.theirs.canary) {
			t.Errorf("%s: %d %.200s", path, got.status, got.body)
		}
		return got
	}
	for path, want := range wants {
		u.take()
		at := hostile(path, "offset=-1")
		asked := u.take()
		hostile(path, at.place())
		asked = append(asked, u.take()...)
		hostile(path, at.place("live", "true"))
		live := u.take()
		if len(asked) < 2 || len(live) < 1 {
			t.Errorf("%s: asked %d times, and live %d", path, len(asked), len(live))
		}
		for _, text := range append(asked, live...) {
			if !want.MatchString(text) {
				t.Errorf("%s asks for\n%q, want\n%s", path, text, want)
			}
		}
	}
}

// misbehaving are answers of an upstream that lead elsewhere, or give back what
// they were asked: the secret is in that.
func misbehaving(trap string) map[string]http.HandlerFunc {
	raw := func(text func(*http.Request) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, text(r))
			_ = conn.Close()
		}
	}
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", r.RequestURI)
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], strings.ReplaceAll(header[i+1], "ECHO", r.RequestURI))
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":"no `+r.RequestURI+` for `+secret+`"}`)
		}
	}
	all := map[string]http.HandlerFunc{
		"hangs up":                raw(func(*http.Request) string { return "" }),
		"echoes the request":      raw(func(r *http.Request) string { return "GET " + r.RequestURI + " HTTP/1.1\r\n\r\n" }),
		"echoes it as a status":   raw(func(r *http.Request) string { return "HTTP/1.1 " + r.RequestURI + "\r\n\r\n" }),
		"echoes it as a protocol": raw(func(r *http.Request) string { return r.RequestURI + " 200 OK\r\n\r\n" }),
		"echoes it as a header":   raw(func(r *http.Request) string { return "HTTP/1.1 200 OK\r\n" + r.RequestURI + "\r\n\r\n" }),
		"echoes the secret":       raw(func(*http.Request) string { return secret + "\r\n" }),
		"echoes it as a length":   raw(func(r *http.Request) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + r.RequestURI + "\r\n\r\n" }),
		"echoes it as an encoding": raw(func(r *http.Request) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + r.RequestURI + "\r\n\r\n"
		}),
		"echoes it as an offset":     answer(200, "Electric-Offset", "ECHO", "Electric-Handle", "17-23"),
		"echoes it as a handle":      answer(200, "Electric-Handle", "ECHO ECHO ECHO", "Electric-Offset", "0_inf"),
		"echoes it as rows":          answer(200, "Electric-Handle", "17-23", "Electric-Offset", "0_inf"),
		"asks to come back at it":    answer(503, "Retry-After", "ECHO"),
		"refuses it":                 answer(400),
		"refuses the secret":         answer(401, "WWW-Authenticate", "ECHO"),
		"does not find it":           answer(404),
		"fails":                      answer(500),
		"switches protocols":         answer(426, "Upgrade", "ECHO"),
		"names another place of it":  answer(200, "Content-Location", trap, "Link", "<"+trap+">; rel=preload", "Alt-Svc", `http/1.1="`+strings.TrimPrefix(trap, "http://")+`"`, "Refresh", "0; url="+trap),
		"redirects to another path":  answer(302, "Location", "/elsewhere?ECHO"),
		"redirects without a scheme": answer(302, "Location", strings.TrimPrefix(trap, "http:")),
	}
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		all[fmt.Sprintf("redirects with %d", status)] = answer(status, "Location", trap+"/v1/shape?ECHO")
	}
	return all
}

// Prevents that ELECTRIC_SECRET is shown to anybody, by whatever the upstream
// does with it, and that an upstream leads the gateway to another server: it is
// a 503 or a 500 that says nothing, and nothing is asked anywhere else.
func TestAnUpstreamThatEchoesAndRedirects(t *testing.T) {
	u, trap := &tapped{t: t}, newTrap(t)
	w := newWorld(t, settings{linger: -1, around: u.around})
	cases := misbehaving(trap.url)
	for _, path := range []string{w.ours.run(w.ours.v2), "/realtime/v1/runs?tags=a"} {
		at := w.fresh(path, w.ours.key)
		for name, answer := range cases {
			u.instead.Store(&answer)
			for _, query := range []string{"offset=-1", at.place(), at.place("live", "true")} {
				u.take()
				got := w.get(with(path, query), w.ours.key)
				if got.status != 503 && got.status != 500 && (got.status != 409 || query == "offset=-1") {
					t.Errorf("%s, ?%.20s: %d %s", name, query, got.status, got.body)
				}
				if text := fmt.Sprint(got.header, got.body); strings.Contains(text, "sesame") || strings.Contains(text, trap.url) || strings.Contains(text, "/v1/shape") {
					t.Errorf("%s, ?%.20s: %s", name, query, text)
				}
				for _, asked := range u.take() {
					if !strings.HasPrefix(asked, "GET /v1/shape?") {
						t.Errorf("%s: the upstream is asked for %q", name, asked)
					}
				}
			}
		}
		u.instead.Store(nil)
		if got := w.get(with(path, at.place()), w.ours.key); got.status != 200 {
			t.Errorf("afterwards %d %s", got.status, got.body)
		}
	}
	if asked := trap.asked(); len(asked) > 0 {
		t.Errorf("another server was asked: %q", asked)
	}
	if !strings.Contains(w.log.String(), "request failed") {
		t.Error("nothing failed")
	}
}
