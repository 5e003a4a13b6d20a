package blackbox

import (
	"fmt"
	"net/url"
	"strings"
)

// Prevents query smuggling: of a parameter given twice one reader takes the
// first and another the last, so two are refused, however their names are spelt.
func parametersTwice(w *world) {
	known := map[string][]string{
		"":                         {"offset", "handle", "live", "cursor", "log", "live_sse", "experimental_live_sse", "expired_handle", "cache-buster", "shape_id", "skipColumns"},
		"/realtime/v1/runs?tags=a": {"createdAt"}, "/realtime/v1/runs?createdAt=1h": {"tags"},
	}
	for _, path := range w.ours.feeds() {
		known[path] = append(known[path], known[""]...)
	}
	delete(known, "")
	for path, names := range known {
		for _, name := range names {
			escaped := fmt.Sprintf("%%%02x", name[0]) + name[1:]
			last := name[:len(name)-1] + fmt.Sprintf("%%%02X", name[len(name)-1])
			for _, second := range []string{name + "=b", name, name + "=", escaped + "=b", last + "=b"} {
				query := name + "=a&x=y&" + second
				if name != "offset" {
					query = "offset=-1&" + query
				}
				got := w.get(with(path, query), w.ours.key)
				if got.status != 400 || !strings.Contains(got.body, `"path":["`+name+`"],"message":"is given more than once"`) {
					w.t.Errorf("%s ?%s: %d %.200s", path, query, got.status, got.body)
				}
			}
		}
	}
}

// Prevents that the gateway reads a query otherwise than whoever looked at it
// before: separators, escapes and names that readers differ on are refused, or
// mean nothing at all.
func queriesWithTwoReadings(w *world) {
	path := "/realtime/v1/runs?tags=a"
	plain := w.fresh(path, w.ours.key)
	for query, says := range map[string]string{
		"offset=-1;tags=b": "semicolon", "offset=-1&x=a;b": "semicolon", ";offset=-1": "semicolon", "offset=-1&%zz=1": "escape", "offset=-1&x=%": "escape", "offset=-1&x=%u0061": "escape",
		"offset=-1&handle=%ff": "UTF-8", "offset=-1&handle=%c0%af": "UTF-8", "offset=-1&%73ubset__where=true": "subset__", "offset=-1&subset__limit=1": "subset__", "offset=now": "now is not supported", "%6fffset=now": "now is not supported",
		"offset=-1&log=changes_only": "changes_only is not supported", "offset=-1&lo%67=changes_only": "changes_only", "offset=-1&handle=a&shape_id=b": "old name",
	} {
		for feed, path := range w.ours.feeds() {
			got := w.get(with(path, query), w.ours.key)
			if got.status != 400 || !strings.HasPrefix(got.body, `{"error":"Query Error","details":[`) || !strings.Contains(got.body, says) {
				w.t.Errorf("%s ?%s: %d %.200s, want %s", feed, query, got.status, got.body, says)
			}
		}
	}
	for _, query := range []string{ // a name in another case, with something around it, or escaped once too often, is unknown
		"Tags=b", "TAGS=b", "tags[]=b", "tags[0]=b", "tags.0=b", "tags%00=b", "+tags=b", "tags+=b", "%20tags=b", "%2574ags=b", "_tags=b", "tags_=b", "ｔags=b", "tags%0d%0a=b", "&&&=", "=b", "=", "x=%26tags=b", "x=%3btags=b", "x=tags=b",
	} {
		if got := w.get(with(path, "offset=-1&"+query), w.ours.key); !same(got, plain) {
			w.t.Errorf("&%s: %d %.200s", query, got.status, got.body)
		}
	}
	for _, query := range []string{"%6fffset=-1", "offse%74=%2d1", "&offset=-1&", "offset=-1&=", "offset=%2D%31"} { // one name, one value
		if got := w.get(with(path, query), w.ours.key); !same(got, plain) {
			w.t.Errorf("?%s: %d %.200s", query, got.status, got.body)
		}
	}
}

// Prevents that a query hides a parameter behind thousands, or is read at any
// length: 64 parameters and 10,000 bytes are the end, and the answer says so.
func tooMuchQuery(w *world) {
	for path := range map[string]bool{"/realtime/v1/runs?tags=a": true, w.ours.run(w.ours.v2): true} {
		for query, want := range map[string]struct {
			status int
			says   string
		}{
			"offset=-1&" + strings.Repeat("x&", 64):                                      {400, "more than 64 parameters"},
			"offset=-1&" + strings.Repeat("x=1&", 2000):                                  {400, "more than 64 parameters"},
			strings.Repeat("x=1&", 2000) + "offset=-1&where=":                            {400, "more than 64 parameters"},
			"offset=-1&" + strings.Repeat("x&", 60):                                      {200, "up-to-date"},
			"offset=-1&" + strings.Repeat("&", 9000):                                     {200, "up-to-date"},
			"offset=-1&x=" + strings.Repeat("x", 9_900):                                  {200, "up-to-date"},
			"offset=-1&x=" + strings.Repeat("x", 10_000):                                 {414, "the query is longer than 10000 bytes: give fewer or shorter parameters"},
			"offset=-1&" + strings.Repeat("x=1&", 6000):                                  {414, "the query is longer than 10000 bytes: give fewer or shorter parameters"},
			"offset=-1&handle=" + strings.Repeat("A", 9_900):                             {200, "up-to-date"},
			"offset=1_0&handle=" + strings.Repeat("A", 9_900):                            {409, "must-refetch"},
			"handle=x&offset=" + strings.Repeat("1", 9_900):                              {409, "must-refetch"},
			"offset=-1&cursor=" + strings.Repeat("1", 9_900):                             {200, "up-to-date"},
			"offset=-1&expired_handle=" + url.QueryEscape(strings.Repeat("\x01", 3_000)): {200, "up-to-date"},
		} {
			if got := w.get(with(path, query), w.ours.key); got.status != want.status || !strings.Contains(got.body, want.says) {
				w.t.Errorf("%s ?%.60s: %d %.200s, want %d %s", path, query, got.status, got.body, want.status, want.says)
			}
		}
	}
}
