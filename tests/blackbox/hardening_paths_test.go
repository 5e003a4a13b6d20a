package blackbox

import "strings"

// verbs are all methods that a client may send, and words that are none.
var verbs = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "Get", "HEADGET", "PROPFIND", "M-SEARCH", "PRI", "BREW"}

// oddTargets are request targets that some server, proxy or router reads as the
// path of a feed. None has a query yet.
func oddTargets(w *world) []string {
	id := w.ours.v2.FriendlyID
	return []string{
		"//realtime/v1/runs", "/realtime//v1/runs", "/realtime/v1//runs", "/realtime/v1/runs/", "/realtime/v1/runs//", "/realtime/v1/./runs", "/./realtime/v1/runs",
		"/x/../realtime/v1/runs", "/realtime/v1/runs/..", "/realtime/v1/runs/../runs", "/realtime/v1/%2e%2e/v1/runs", "/realtime/v1/runs/%2e%2e", "/../realtime/v1/runs", "/%2e/realtime/v1/runs",
		"/realtime%2fv1%2fruns", "/realtime/v1%2fruns", "/realtime/v1%2Fruns", "/realtime/v1/run%73", "/%72ealtime/v1/runs", "/realtime/v1/%72%75%6e%73", "/realtime/v1/run%2573", "/realtime/v1/runs%3foffset=-1",
		"/realtime/v1/runs%00", "/realtime/v1/runs%20", "/realtime/v1/runs%0d%0a", "/realtime/v1/runs%zz", "/realtime/v1/runs%", "/realtime/v1/ru%c0%aens", "/realtime/v1/runs\x01", "/realtime/v1/runs\xff",
		"/realtime/v1/RUNS", "/REALTIME/v1/runs", "/Realtime/V1/Runs", "/realtime/v1/runs;x=1", "/realtime;/v1/runs", "/realtime/v1/runs.json", "/realtime/v1/runs/" + id + "/", "/realtime/v1/runs/" + id + "/x",
		"/realtime/v1/runs//" + id, "/realtime/v1/runs/%2f" + id, "/realtime/v1/runs/" + strings.ReplaceAll(id, "run_", "%72un_"), "/realtime/v1/runs/" + id + "%2f", "/realtime/v1/runs/x%2f..%2f" + id, "/realtime/v1/runs/" + id + ";x",
		"/realtime/v1/batches/", "/realtime/v1/batches", "/realtime/v1/batch/" + w.ours.batch.FriendlyID, "/realtime/v1/batches/" + id, "/realtime/v1/runs/" + w.ours.batch.FriendlyID,
		"/realtime/v1/", "/realtime/v1", "/realtime/", "/realtime/v2/runs", "/", "/v1/shape", "/v1/health", "/realtime/v1/nothing", "/realtime/v1/ws", "/realtime/v1/runs/" + w.theirs.v2.FriendlyID,
		"http://x/realtime/v1/runs", "http://other.example/realtime/v1/runs", "https://x//realtime/v1/runs", "HTTP://x:80/realtime/v1/runs", "http://x@y/realtime/v1/runs", "http:/realtime/v1/runs", "file:///realtime/v1/runs", "http://upstream.internal/v1/shape",
		"/healthz/../realtime/v1/runs", "/healthz%2f..%2frealtime/v1/runs", "/healthz/realtime/v1/runs", "/healthz;/realtime/v1/runs", `/realtime/v1/runs\`, `/realtime\v1\runs`, `\realtime\v1\runs`,
		"*", "realtime/v1/runs", "x:443", "//", "///realtime/v1/runs", "/realtime/v1/runs#", "/?/realtime/v1/runs", "?", "/realtime/v1/runs /", "",
	}
}

// Prevents that a path which is spelt in another way goes round the credential:
// whatever the method, it is refused or it is the same feed behind the same door.
func oddPaths(w *world) {
	feeds := 0
	for _, target := range oddTargets(w) {
		target = with(target, "offset=-1")
		for _, method := range verbs {
			open, ours := w.raw(method, target, ""), w.raw(method, target, w.ours.key)
			line := method + " " + target
			if strings.Contains(open.body, "CANARY") || len(electricHeaders(open.header)) > 0 {
				w.t.Errorf("%s without a credential: %d %.200s", line, open.status, open.body)
			}
			if strings.Contains(ours.body, w.theirs.canary) {
				w.t.Errorf("%s: another tenant's rows", line)
			}
			switch {
			case method == "GET" && open.status == 401: // the path of a feed
				if ours.status != 200 && ours.status != 404 && ours.status != 400 {
					w.t.Errorf("%s: %d %.200s", line, ours.status, ours.body)
				}
				if fewer := w.raw(method, target, w.ours.token("read:nothing")); fewer.status == 200 || strings.Contains(fewer.body, "CANARY") {
					w.t.Errorf("%s: %d without a scope", line, fewer.status)
				}
				feeds++
			case ours.status != open.status || ours.body != open.body:
				w.t.Errorf("%s is no feed, and a credential makes a %d of a %d: %.200s", line, ours.status, open.status, ours.body)
			case method == "OPTIONS" && open.status == 200 && (open.body == "{}" || open.body == ""): // a preflight, or of the server itself
			case open.status != 400 && open.status != 404 && open.status != 405:
				w.t.Errorf("%s: %d %.200s", line, open.status, open.body)
			}
		}
	}
	if feeds < 5 {
		w.t.Errorf("of all spellings %d led to a feed: the test does not look for what it should", feeds)
	}
}

// Prevents that a method other than GET reads a feed, or does anything at all.
func methods(w *world) {
	for _, path := range w.ours.feeds() {
		for _, method := range verbs {
			got := w.raw(method, with(path, "offset=-1"), w.ours.key)
			switch body := `{"error":"Method not allowed"}`; method {
			case "GET":
				if got.status != 200 || !strings.Contains(got.body, w.ours.canary) {
					w.t.Errorf("GET %s: %d", path, got.status)
				}
			case "OPTIONS":
				if got.status != 200 || got.body != "{}" || len(electricHeaders(got.header)) > 0 {
					w.t.Errorf("OPTIONS %s: %d %s", path, got.status, got.body)
				}
			case "HEAD":
				body = ""
				fallthrough
			default:
				if got.status != 405 || got.body != body || got.header.Get("Allow") != "GET, OPTIONS" || len(electricHeaders(got.header)) > 0 {
					w.t.Errorf("%s %s: %d %s, Allow %q", method, path, got.status, got.body, got.header.Get("Allow"))
				}
			}
		}
	}
}
