package blackbox

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// tagged asks for the runs with a tag filter, which is escaped.
func (w *world) tagged(filter, credential string) reply {
	w.t.Helper()
	return w.get("/realtime/v1/runs?offset=-1&tags="+url.QueryEscape(filter), credential)
}

// Prevents that a tag ends the literal that a platform makes of it, or reaches
// the database as what it cannot hold: each such tag is refused, by name.
func tagsThatAreRefused(w *world) {
	refused := map[string]string{"a,": "a tag is empty", ",a": "a tag is empty", "a,,b": "a tag is empty", ",": "a tag is empty", ",,,": "a tag is empty"}
	for _, c := range `"\` {
		refused[string(c)] = "control character"
	}
	for c := range rune(0x20) {
		refused[string(c)] = "control character"
	}
	refused["\x7f"] = "control character"
	for _, bytes := range []string{"\xff", "\xc3", "\xc0\xaf", "\xc0\x80", "\xe0\x80\xa2", "\xed\xa0\x80", "\xed\xb0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe\xff"} {
		refused[bytes] = "is not UTF-8"
	}
	for bad, says := range refused {
		for _, filter := range []string{bad, "a," + bad, bad + ",a", "x" + bad + "x", "a,b," + strings.Repeat("x", 100) + bad} {
			got := w.tagged(filter, w.ours.key)
			if says == "a tag is empty" && filter != bad && strings.Contains(filter, "x") {
				continue // has become another filter
			}
			if got.status != 400 || !strings.HasPrefix(got.body, `{"error":"Query Error","details":[{"code":"custom","path":["tags"],"message":`) || !strings.Contains(got.body, says) {
				w.t.Errorf("%q: %d %.200s, want %s", filter, got.status, got.body, says)
			}
		}
	}
}

// Prevents that a tag is read as SQL, as an array or as another parameter: it is
// a value, and finds the runs that have it.
func tagsAreValues(w *world) {
	for _, tag := range []string{
		`a' OR ''='`, `' OR 1=1 --`, `'); DROP TABLE x; --`, `$1`, `$2`, `{a}`, `}`, `{`, `]`, `ARRAY[1]`, `%`, `_`, `*`, `a%`, `NULL`, `null`, `true`, `&where=true`, `&params[1]=env_theirs`, `params[1]=env_theirs`,
		`%27`, `%2c`, `+`, ` `, ` a`, `a `, `::text`, `--`, `/* */`, `;`, `#`, `?`, `=`, `<script>`, `${jndi:ldap://x}`, `{{7*7}}`, `E''`, `U&''`, `0`, `-1`, `'`, `''`, "`",
	} {
		run := w.ours.create(tables[len(tag)%2], newRun(tag))
		w.theirs.create(tables[len(tag)%2], newRun(tag))
		if ids := w.until200(tag, w.ours.key, 1).ids(w.t); !slices.Equal(ids, []string{run.ID}) {
			w.t.Errorf("%q finds %v, want %s", tag, ids, run.ID)
		}
		want := 200
		if strings.TrimSpace(tag) == "" {
			want = 403 // a scope with a blank id grants nothing, on the platform as well
		}
		if got := w.tagged(tag, w.ours.token("read:tags:"+tag)); got.status != want {
			w.t.Errorf("read:tags:%s on %q: %d, want %d", tag, tag, got.status, want)
		}
		if got := w.tagged(tag, w.ours.token("read:tags:x"+tag)); got.status != 403 {
			w.t.Errorf("read:tags:x%s opens %q: %d", tag, tag, got.status)
		}
	}
	// A comma separates, escaped or not: no tag holds one.
	both := w.fresh("/realtime/v1/runs?tags=a%2Cb", w.ours.key)
	if other := w.fresh("/realtime/v1/runs?tags=b,a,b", w.ours.key); other.header.Get("Electric-Handle") != both.header.Get("Electric-Handle") || len(both.ids(w.t)) != 2 {
		w.t.Errorf("a%%2Cb is another feed than a,b, or has %v", both.ids(w.t))
	}
}

// until200 asks until n rows are there: a run takes a moment from the database to
// the upstream.
func (w *world) until200(filter, credential string, n int) (got reply) {
	w.t.Helper()
	w.until("the runs with "+filter, func() bool {
		got = w.tagged(filter, credential)
		return got.status != 200 || len(got.ids(w.t)) >= n
	})
	return got
}

// Prevents that a tag which only looks like another opens or finds the other's
// runs: tags are compared as they are, without folding, trimming or composing.
func lookAlikes(w *world) {
	alike := []string{"café", "cafe\u0301", "CAFÉ", "cafe", "саfé", "ｃａｆé", "café\u200b", "\u200ecafé", "café\u00a0", "café ", "caf\u00e9\u0327", "ca\u00adfé", "ſ", "s", "K", "\u212a", "ı", "i", "İ", "\u2028", "\u0085", "\ufeffcafé", "😀", "😀\ufe0f"}
	ids := map[string]string{}
	for i, tag := range alike {
		ids[tag] = w.ours.create(tables[i%2], newRun(tag)).ID
	}
	for _, tag := range alike {
		if got := w.until200(tag, w.ours.key, 1).ids(w.t); len(got) != 1 || got[0] != ids[tag] {
			w.t.Errorf("%q finds %v, want %s", tag, got, ids[tag])
		}
		for _, other := range alike {
			want := 403
			if other == tag && strings.TrimSpace(tag) != "" { // a blank one grants nothing
				want = 200
			}
			if got := w.tagged(tag, w.ours.token("read:tags:"+other)); got.status != want {
				w.t.Errorf("read:tags:%q on %q: %d", other, tag, got.status)
			}
		}
	}
}

// Prevents that a list of tags grows beyond what the upstream takes, and that
// whoever sent it is left to guess: 10,000 tags are refused in a text that says
// what to do, and nothing else than that has to be done.
func tenThousandTags(w *world) {
	const short = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	many := make([]string, 0, 10_000)
	for n := 0; len(many) < cap(many); n++ {
		tag := ""
		for rest := n; ; rest = rest/len(short) - 1 {
			if tag = string(short[rest%len(short)]) + tag; rest < len(short) {
				break
			}
		}
		many = append(many, tag)
	}
	ask := func(tags []string) reply {
		return w.raw("GET", "/realtime/v1/runs?offset=-1&tags="+strings.Join(tags, ","), w.ours.key)
	}
	if got := ask(many); got.status != 414 || got.header.Get("Connection") == "" || !strings.Contains(got.body, "the query is longer than 10000 bytes: give fewer or shorter parameters, mostly tags") {
		w.t.Errorf("10,000 tags: %d %.300s", got.status, got.body)
	}
	if got := ask(strings.Split(manyTags(10_000), ",")); got.status != 431 { // more than the server reads
		w.t.Errorf("10,000 longer tags: %d %.300s", got.status, got.body)
	}
	if got := ask(slices.Repeat([]string{"a"}, 4_900)); got.status != 200 || len(got.ids(w.t)) != 2 {
		w.t.Errorf("one tag 4,900 times: %d %.300s", got.status, got.body)
	}
	// What fits a query may still not fit the upstream's. Who gives up as many
	// bytes of tags as the text says there are too many is answered.
	for n := 3_000; n > 0; {
		got := ask(many[:n])
		if got.status == 200 {
			if n == 3_000 || n < 100 {
				w.t.Errorf("%d tags are taken", n)
			}
			break
		}
		var takes, most int
		_, text, _ := strings.Cut(got.body, `"message":"`)
		if _, err := fmt.Sscanf(text, "the filter takes %d bytes of a request of at most %d: give fewer or shorter tags", &takes, &most); err != nil || got.status != 400 || takes <= most || n < 3_000 {
			w.t.Fatalf("%d tags: %d %.300s", n, got.status, got.body)
		}
		for bytes := takes - most; bytes > 0 && n > 0; n-- {
			bytes -= len(many[n-1])
		}
	}
}

// manyTags is a filter of n tags.
func manyTags(n int) string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = strconv.Itoa(i)
	}
	return strings.Join(tags, ",")
}

// Prevents that one tag fills the upstream's request, which would be refused
// there and be a fault of the server here.
func aTagOf9KB(w *world) {
	for name, tag := range map[string]string{"9 KB": strings.Repeat("x", 9_000), "escaped in the upstream's query": strings.Repeat("é", 1_600)} {
		got := w.tagged(tag, w.ours.key)
		if got.status != 400 || !strings.Contains(got.body, "give fewer or shorter tags") || strings.Contains(got.body, tag) {
			w.t.Errorf("%s: %d %.300s", name, got.status, got.body)
		}
	}
	run := w.ours.create(tables[1], newRun(strings.Repeat("x", 8_000)))
	if ids := w.until200(strings.Repeat("x", 8_000), w.ours.key, 1).ids(w.t); !slices.Equal(ids, []string{run.ID}) {
		w.t.Errorf("a tag of 8,000 bytes finds %v", ids)
	}
}
