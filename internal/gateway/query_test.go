package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseQuery(t *testing.T) {
	hour, none := time.Hour, time.Duration(0)
	for _, c := range []struct {
		kind feedKind
		raw  string
		want feedQuery
	}{
		{runFeed, "", feedQuery{}},
		{runFeed, "&&", feedQuery{}},
		{runFeed, "offset=-1&log=full", feedQuery{Offset: "-1"}},
		{runFeed, "offset=1_0&handle=h&live=true&cursor=7&expired_handle=old&cache-buster=x", feedQuery{
			Offset: "1_0", Handle: "h", ExpiredHandle: "old", Cursor: "7", Live: true,
		}},
		{runFeed, "handle=&offset=&cursor=", feedQuery{}},
		{runFeed, "live", feedQuery{Live: true}},
		{runFeed, "live=", feedQuery{Live: true}},
		{runFeed, "live=0", feedQuery{Live: true}},
		{runFeed, "live=False", feedQuery{Live: true}},
		{runFeed, "live=false", feedQuery{}},
		{runFeed, "%6Cive=fals%65", feedQuery{}},
		{runFeed, "live=true&live_sse=true", feedQuery{Live: true, SSE: true}},
		{runFeed, "live=true&experimental_live_sse", feedQuery{Live: true, SSE: true}},
		{runFeed, "live=true&experimental_live_sse=true&live_sse=false", feedQuery{Live: true}},
		{runFeed, "live=true&experimental_live_sse=false&live_sse=true", feedQuery{Live: true, SSE: true}},
		{runFeed, "live=false&live_sse=false", feedQuery{}},
		{runFeed, "shape_id=old", feedQuery{Handle: "old"}},
		{runFeed, "shape_id=&handle=new", feedQuery{Handle: "new"}},
		{runFeed, "shape_id=old&handle=", feedQuery{Handle: "old"}},
		{runFeed, "handle=a%2Bb+c%3B%26", feedQuery{Handle: "a+b c;&"}},
		{runFeed, "handle=a=b", feedQuery{Handle: "a=b"}},
		{runFeed, "where=1&where=2&table=x&new&replica=full&Live=true", feedQuery{}}, // unknown, some twice
		{runFeed, "tags=a,,&createdAt=1h", feedQuery{}},                              // known to tag feeds alone
		{batchFeed, "tags=a,,&createdAt=1h&tags=b", feedQuery{}},
		{runFeed, "skipColumns=payload,output", feedQuery{SkipColumns: []string{"payload", "output"}}},
		{batchFeed, "skipColumns=,payload,", feedQuery{SkipColumns: []string{"payload"}}},
		{tagFeed, "skipColumns=&tags=", feedQuery{}},
		{tagFeed, "tags=a", feedQuery{Tags: []string{"a"}}},
		{tagFeed, "tags=b%2Ca%2Cb", feedQuery{Tags: []string{"b", "a", "b"}}},
		{tagFeed, "tags=o'clock,+x+,grün,a:b", feedQuery{Tags: []string{"o'clock", " x ", "grün", "a:b"}}},
		{tagFeed, "createdAt=1h", feedQuery{CreatedWithin: &hour}},
		{tagFeed, "createdAt=0s", feedQuery{CreatedWithin: &none}},
		{tagFeed, "createdAt=yesterday", feedQuery{}},
		{tagFeed, "createdAt=", feedQuery{}},
	} {
		got, err := parseQuery(c.kind, c.raw)
		if err != nil {
			t.Errorf("%q: %v", c.raw, err)
			continue
		}
		if diff := cmp.Diff(c.want, *got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.raw, diff)
		}
	}
}

func TestParseQueryRefuses(t *testing.T) {
	for _, c := range []struct {
		kind   feedKind
		raw    string
		status int
		path   string // of the issue
		says   string
	}{
		{runFeed, "offset=now", 400, "offset", "now is not supported"},
		{runFeed, "log=changes_only", 400, "log", "changes_only is not supported"},
		{runFeed, "log=FULL", 400, "log", "must be full"},
		{runFeed, "subset__where=true", 400, "", "subset__"},
		{runFeed, "subset%5F_limit", 400, "", "subset__"},
		{runFeed, "offset=-1&offset=-1", 400, "offset", "more than once"},
		{runFeed, "live=true&l%69ve=true", 400, "live", "more than once"},
		{tagFeed, "tags=a&tags=b", 400, "tags", "more than once"},
		{runFeed, "handle=a&shape_id=a", 400, "shape_id", "old name"},
		{runFeed, "live_sse=true", 400, "live_sse", "live=true"},
		{runFeed, "experimental_live_sse=true&live=false", 400, "live_sse", "live=true"},
		{runFeed, "offset=-1;live=true", 400, "", "semicolon"},
		{runFeed, "unknown=a;b", 400, "", "semicolon"},
		{runFeed, "offset=%", 400, "", "escape"},
		{runFeed, "unknown=%zz", 400, "", "escape"},
		{runFeed, "%zz=1", 400, "", "escape"},
		{runFeed, "handle=%ff", 400, "handle", "UTF-8"},
		{tagFeed, "tags=a,%c3", 400, "tags", "UTF-8"},
		{tagFeed, "tags=a,", 400, "tags", "empty"},
		{tagFeed, "tags=,a", 400, "tags", "empty"},
		{tagFeed, "tags=a,,b", 400, "tags", "empty"},
		{tagFeed, "tags=,", 400, "tags", "empty"},
		{tagFeed, "tags=a%00b", 400, "tags", "control"},
		{tagFeed, "tags=a,b%0a", 400, "tags", "control"},
		{tagFeed, "tags=%7f", 400, "tags", "control"},
		{tagFeed, `tags=a%5Cb`, 400, "tags", "control"},
		{tagFeed, "tags=%22", 400, "tags", "control"},
		{runFeed, strings.Repeat("x&", 65), 400, "", "more than 64"},
		{runFeed, "x=" + strings.Repeat("x", 9_999), 414, "", "10000 bytes"},
	} {
		_, err := parseQuery(c.kind, c.raw)
		p, ok := errors.AsType[*problem](err)
		if !ok {
			t.Errorf("%.60q: the error is %v, want a problem", c.raw, err)
			continue
		}
		body, ok := p.body.(errorBody)
		if !ok || p.status != c.status || body.Error != "Query Error" || len(body.Details) != 1 {
			t.Errorf("%.60q: %d %v, want a %d with one issue", c.raw, p.status, p.body, c.status)
			continue
		}
		got := body.Details[0]
		if path := strings.Join(got.Path, "/"); path != c.path || !strings.Contains(got.Message, c.says) {
			t.Errorf("%.60q: %q %s, want %q %s", c.raw, path, got.Message, c.path, c.says)
		}
	}
	for _, raw := range []string{strings.Repeat("x&", 64), "x=" + strings.Repeat("x", 9_998)} {
		if _, err := parseQuery(runFeed, raw); err != nil {
			t.Errorf("%.20q...: at the bound, and refused: %v", raw, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"1w": 7 * day, "1d": day, "1h": time.Hour, "1hr": time.Hour, "1m": time.Minute, "1s": time.Second, "0s": 0,
		"1d12h": 36 * time.Hour, "12h1d": 36 * time.Hour, "1h2h": 3 * time.Hour, "1w1d1h1m1s": 8*day + 3661*time.Second,
		"007m": 7 * time.Minute, "1h1hr1h": 3 * time.Hour,
		"999999999999w": 1<<63 - 1, strings.Repeat("9", 99) + "s": 1<<63 - 1, "9223372036s9223372036s": 1<<63 - 1,
		strings.Repeat("9s", 50): 450 * time.Second,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "h", "1", "1 h", " 1h", "1h ", "1h\n", "-1h", "+1h", "1.5h", "1H", "1ms", "1hrs", "1h2", "1y", "1mo", "１h",
		"1h,1m", "99s" + strings.Repeat("9s", 49), // of 101 bytes
	} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

// The reader agrees with net/url about everything it accepts, and what it
// accepts holds what the types promise.
func FuzzParseQuery(f *testing.F) {
	f.Add(uint8(tagFeed), "tags=a%2Cb&createdAt=1d&skipColumns=payload&offset=-1&log=full")
	f.Add(uint8(runFeed), "cursor=&handle=h&live=true&offset=1_0&expired_handle=o")
	f.Fuzz(func(t *testing.T, kind uint8, raw string) {
		feed := feedKind(kind % 3)
		q, err := parseQuery(feed, raw)
		if err != nil {
			p, ok := errors.AsType[*problem](err)
			if !ok || p.status != 400 && p.status != 414 {
				t.Fatalf("the error is %v, want a 400 or a 414", err)
			}
			if body, err := json.Marshal(p.body); err != nil || len(body) > 300 {
				t.Fatalf("the body is %d bytes, %v", len(body), err)
			}
			return
		}
		oracle, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("accepted, and net/url says %v", err)
		}
		for _, name := range slices.Concat(clientParams, feedParams[feed]) {
			if n := len(oracle[name]); n > 1 {
				t.Fatalf("accepted, and %s is given %d times", name, n)
			}
		}
		handle := oracle.Get("handle") + oracle.Get("shape_id") // at most one of them is not empty
		want := fmt.Sprintf("%q", []string{oracle.Get("offset"), handle, oracle.Get("cursor"), oracle.Get("expired_handle")})
		if got := fmt.Sprintf("%q", []string{q.Offset, q.Handle, q.Cursor, q.ExpiredHandle}); got != want {
			t.Fatalf("read %s, net/url reads %s", got, want)
		}
		if live := oracle.Has("live") && oracle.Get("live") != "false"; q.Live != live || q.SSE && !live {
			t.Fatalf("live is %v and SSE %v, want live %v", q.Live, q.SSE, live)
		}
		if feed != tagFeed && (q.Tags != nil || q.CreatedWithin != nil) {
			t.Fatalf("a feed without tags has %q, %v", q.Tags, q.CreatedWithin)
		}
		if feed == tagFeed && strings.Join(q.Tags, ",") != oracle.Get("tags") {
			t.Fatalf("tags are %q of %q", q.Tags, oracle.Get("tags"))
		}
		for _, tag := range q.Tags {
			if tag == "" || strings.ContainsAny(tag, "\\\",\x00\n\x1f\x7f") {
				t.Fatalf("a tag %q was accepted", tag)
			}
		}
		if q.CreatedWithin != nil && *q.CreatedWithin < 0 {
			t.Fatalf("reaches back %v", *q.CreatedWithin)
		}
	})
}
