package feeds

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
)

const (
	legacyID = "cmabcdefghijklmnopqrstuvw"
	v2ID     = "2ZzZzZzZzZzZzZzZzZzZzZzZzZz"
)

// Requests that mean one feed are one feed, and ask for one shape in each table.
func TestOneSpelling(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 34, 56, 0, time.UTC)
	u := &upstream{}
	s := newService(t, u, Config{Now: func() time.Time { return now }})
	for name, same := range map[string][]*Feed{
		"tags": {
			tagFeed(t, s, []string{"b", "a"}, time.Hour), tagFeed(t, s, []string{"a", "b"}, time.Hour),
			tagFeed(t, s, []string{"a", "b", "a", "a"}, time.Hour), tagFeed(t, s, []string{"a", "b"}, 59*time.Minute),
			tagFeed(t, s, []string{"a", "b"}, 31*time.Minute, "id", "nothing", ""),
		},
		"all runs": {tagFeed(t, s, nil, time.Hour), tagFeed(t, s, []string{}, time.Hour)},
		"skipped": {
			tagFeed(t, s, nil, time.Hour, "payload", "output"), tagFeed(t, s, nil, time.Hour, "output", "payload", "output", "friendlyId"),
		},
		"run":   {s.Run(env, v2ID, nil), s.Run(env, v2ID, []string{"id", "status"})},
		"batch": {s.Batch(env, "b", []string{"ttl"}), s.Batch(env, "b", []string{"ttl", "createdAt"})},
	} {
		shapes := map[string]bool{}
		for i, f := range same {
			if f.fingerprint != same[0].fingerprint {
				t.Errorf("%s: spelling %d is another feed", name, i)
			}
			next(t, s, f, start)
			for _, q := range u.take() {
				shapes[q.Encode()] = true
			}
		}
		if want := len(slices.DeleteFunc(same[0].tables[:], func(opened bool) bool { return !opened })); len(shapes) != want {
			t.Errorf("%s: %d shapes, want %d", name, len(shapes), want)
		}
	}
	u.take()
	def := tagFeed(t, s, nil, 24*time.Hour)
	unsaid, err := s.Tags(env, nil, nil, nil)
	if err != nil || unsaid.fingerprint != def.fingerprint {
		t.Errorf("a window that is not said is not 24 h: %v", err)
	}
}

// Everything that says which rows or columns a feed has is in its fingerprint.
func TestFingerprintsDiffer(t *testing.T) {
	s := newService(t, &upstream{}, Config{MaxAge: 90 * 24 * time.Hour})
	seen := map[cursor.Fingerprint]string{}
	add := func(name string, f *Feed) {
		if before, ok := seen[f.fingerprint]; ok {
			t.Errorf("%s has the fingerprint of %s", name, before)
		}
		seen[f.fingerprint] = name
	}
	for _, e := range []string{env, other} {
		for _, skip := range [][]string{nil, {"payload"}, {"payload", "output"}, {"output"}} {
			name := fmt.Sprint(e, " without ", skip)
			add("run "+name, s.Run(e, v2ID, skip))
			add("legacy run "+name, s.Run(e, legacyID, skip))
			add("batch "+name, s.Batch(e, v2ID, skip))
			for _, tags := range [][]string{nil, {"a"}, {"b"}, {"a", "b"}, {"a,b"}, {v2ID}} {
				for _, window := range append(slices.Clone(ladder[:]), 40*24*time.Hour) {
					f, err := s.Tags(e, tags, &window, skip)
					if err != nil {
						t.Fatal(err)
					}
					add(fmt.Sprint("tags ", tags, window, name), f)
				}
			}
		}
	}
}

// Each feed asks the tables that it is in, for its environment's rows only.
func TestDefinitionsHoldTheEnvironment(t *testing.T) {
	const both, legacy, v2 = `public."TaskRun" public.task_run_v2`, `public."TaskRun"`, `public.task_run_v2`
	u := &upstream{}
	s := newService(t, u, Config{Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }})
	for name, c := range map[string]struct {
		feed   *Feed
		tables string
		where  string
		params []string
	}{
		"legacy run": {s.Run(env, legacyID, nil), legacy, `"runtimeEnvironmentId" = $1 AND "id" = $2`, []string{env, legacyID}},
		"v2 run":     {s.Run(env, v2ID, nil), v2, `"runtimeEnvironmentId" = $1 AND "id" = $2`, []string{env, v2ID}},
		"batch":      {s.Batch(other, "b'1", nil), both, `"runtimeEnvironmentId" = $1 AND "batchId" = $2`, []string{other, "b'1"}},
		"tags": {
			tagFeed(t, s, []string{"z", "a'"}, time.Hour), both,
			`"runtimeEnvironmentId" = $1 AND "runTags" @> ARRAY[$2,$3] AND "createdAt" > $4`, []string{env, "a'", "z", "2026-03-01T11:00:00.000Z"},
		},
		"all": {tagFeed(t, s, nil, time.Hour), both, `"runtimeEnvironmentId" = $1 AND "createdAt" > $2`, []string{env, "2026-03-01T11:00:00.000Z"}},
	} {
		next(t, s, c.feed, start)
		var tables []string
		for _, q := range u.take() {
			tables = append(tables, q.Get("table"))
			var params []string
			for i := 1; q.Has("params[" + strconv.Itoa(i) + "]"); i++ {
				params = append(params, q.Get("params["+strconv.Itoa(i)+"]"))
			}
			if diff := cmp.Diff(c.params, params); q.Get("where") != c.where || diff != "" {
				t.Errorf("%s: where %s, params (-want +got):\n%s", name, q.Get("where"), diff)
			}
		}
		slices.Sort(tables)
		if got := strings.Join(tables, " "); got != c.tables {
			t.Errorf("%s: asks %s, want %s", name, got, c.tables)
		}
	}
}

// Columns can be left out, but not those without which an SDK stops.
func TestReservedColumnsAreNeverSkipped(t *testing.T) {
	if got := without(nil); len(got) != 26 {
		t.Errorf("%d columns, want the platform's 26", len(got))
	}
	kept := without(append(slices.Clone(columns[:]), "apiKey", ""))
	if diff := cmp.Diff([]string{"id", "taskIdentifier", "createdAt", "friendlyId", "status"}, kept); diff != "" {
		t.Errorf("without all (-want +got):\n%s", diff)
	}
	if got := without([]string{"payload"}); slices.Contains(got, "payload") || len(got) != 25 {
		t.Errorf("without payload: %v", got)
	}
	if got := without(nil); len(got) != 26 {
		t.Error("leaving columns out of one feed changed all others")
	}
}

// A filter that does not fit an upstream's request line is refused, with the
// limit in the text; one that just fits is not.
func TestTooLong(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	n, refused := 1, error(nil)
	for ; refused == nil && n < 2000; n++ {
		_, refused = s.Tags(env, tagsOf(n), nil, nil)
	}
	tooLong, ok := errors.AsType[*TooLong](refused)
	if !ok || tooLong.Bytes <= 9000 || !strings.Contains(refused.Error(), strconv.Itoa(tooLong.Bytes)) || !strings.Contains(refused.Error(), "9000") {
		t.Errorf("refused with %v", refused)
	}
	next(t, s, tagFeed(t, s, tagsOf(n-2), DefaultWindow), start)
	for _, q := range u.take() {
		if size := len(q.Encode()); size > 9000 || size < 8900 {
			t.Errorf("the longest filter that is taken makes a query of %d bytes", size)
		}
	}
	// In bytes as they stand in a URL: a character can take nine.
	if _, err := s.Tags(env, []string{strings.Repeat("漢", 950)}, nil, nil); err == nil {
		t.Error("8,550 escaped bytes of one tag and the rest fit into 9,000")
	}
}

func tagsOf(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("tag-%05d", i)
	}
	return tags
}
