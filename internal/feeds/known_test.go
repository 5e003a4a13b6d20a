package feeds

import (
	"fmt"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
)

// Who asks for the same gets the same Feed, and nobody else does, however their texts
// could be read as one.
func TestFeedsAreKnown(t *testing.T) {
	s := newService(t, &upstream{}, Config{})
	tags := func(environment string, tags []string, skip ...string) *Feed {
		t.Helper()
		f, err := s.Tags(environment, tags, ptr(time.Hour), skip)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ofTags, ofRun := tags(env, []string{"a", "b"}), s.Run(env, v2ID, nil)
	if tags(env, []string{"a", "b"}) != ofTags || s.Run(env, v2ID, nil) != ofRun {
		t.Error("the same feed was made twice")
	}
	seen := map[*Feed]string{}
	for name, f := range map[string]*Feed{
		"two tags": tags(env, []string{"a", "b"}), "ab and c": tags(env, []string{"ab", "c"}), "a and bc": tags(env, []string{"a", "bc"}),
		"one with a NUL": tags(env, []string{"a\x00b"}), "one with a length": tags(env, []string{"a\x01b"}),
		"skipped": tags(env, []string{"a"}, "ttl"), "a tag of that name": tags(env, []string{"ttl", "a"}), "none": tags(env, nil),
		"another environment": tags(other, []string{"a", "b"}), "a longer one": tags(env+"a", []string{"b"}),
		"a run": s.Run(env, v2ID, nil), "a batch": s.Batch(env, v2ID, nil), "a run with fewer columns": s.Run(env, v2ID, []string{"ttl"}),
	} {
		if seen[f] != "" {
			t.Errorf("%s and %s are one feed", name, seen[f])
		}
		seen[f] = name
	}
}

// What is remembered is bounded in bytes; what was asked for lately stays.
func TestKnownFeedsAreBounded(t *testing.T) {
	var k known
	made := 0
	get := func(n int) *Feed {
		f, _ := k.get(keyOf("run", env, 0, nil, []string{fmt.Sprint(n)}), func() (*Feed, error) {
			made++
			return makeRun(env, v2ID, nil), nil
		})
		return f
	}
	each := get(0).bytes()
	most := 2 * knownBytes / each
	for n := range 2 * most {
		get(n)
		get(0)
	}
	if made != 2*most {
		t.Errorf("%d feeds were made, want %d: one that is in use was forgotten", made, 2*most)
	}
	if n := len(k.fresh) + len(k.old); n > most {
		t.Errorf("%d feeds are remembered, of %d bytes each", n, each)
	}
}

// Places that were told are read from memory, as long as they are among the last, and are
// what the codec would have read; changed ones are not.
func TestPlacesInCommon(t *testing.T) {
	var c common
	var codec, another cursor.Codec
	place := func(n int) *cursor.Cursor { return &cursor.Cursor{Nonce: uint64(n)} }
	for n := range mostPlaces + 1 {
		c.tell(&codec, place(n), fmt.Sprint("handle", n), "17_0")
		for before := range len(c.places) {
			if got, want := c.latest(before).at.Nonce, uint64(n-before); got != want {
				t.Fatalf("%d places were told after %d, of %d: %d", before, got, n+1, want)
			}
		}
	}
	for n := range mostPlaces + 1 {
		want := n > 0 // the oldest made room
		at, decoded := c.decoded(&codec, fmt.Sprint("handle", n), "17_0")
		handle, offset := c.encoded(&codec, place(n))
		encoded := handle != ""
		if decoded != want || encoded != want || want && (at != *place(n) || handle != fmt.Sprint("handle", n) || offset != "17_0") {
			t.Errorf("place %d: %+v, %v; %s, %s, %v", n, at, decoded, handle, offset, encoded)
		}
	}
	for _, p := range [][2]string{{"handle1", "17_1"}, {"handle1", ""}, {"handle", "17_0"}, {"handle11 ", "17_0"}, {"", "17_0"}, {"", ""}} {
		if _, ok := c.decoded(&codec, p[0], p[1]); ok {
			t.Errorf("%q is a place", p)
		}
	}
	if _, ok := c.decoded(&another, "handle1", "17_0"); ok {
		t.Error("a place of another codec is one of this")
	}
	if handle, offset := c.encoded(&another, place(1)); handle != "" || offset != "" {
		t.Error("a place has the strings of another codec")
	}
	further := place(1)
	further.Sides[0].UpToDate = true
	if handle, offset := c.encoded(&codec, further); handle != "handle1" || offset != "" {
		t.Errorf("further on in the same shapes: %q, %q", handle, offset)
	}
}

// A feed has one pair of definitions for each floor, in whatever order they are asked for,
// and not more of them than its clients' floors are likely to be.
func TestFloorsInCommon(t *testing.T) {
	s := newService(t, &upstream{}, Config{})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	floor := func(n int) time.Time { return time.Unix(int64(1_700_000_000+60*n), 0).UTC() }
	first := f.definitions(floor(1))
	for n := range 3 * mostFloors {
		got, want := f.definitions(floor(n)), makeTagsOf(t, f, floor(n))
		if got[0].Query() != want[0] || got[1].Query() != want[1] {
			t.Errorf("floor %d: %s, want %s", n, got[0].Query(), want[0])
		}
		if n < mostFloors && f.definitions(floor(1)) != first {
			t.Errorf("floor 1 was defined again after %d", n)
		}
	}
	if n := len(f.common.floors); n != mostFloors {
		t.Errorf("%d floors are remembered", n)
	}
}

// makeTagsOf are the queries of a feed with a floor, made anew.
func makeTagsOf(t *testing.T, f *Feed, floor time.Time) (queries [2]string) {
	t.Helper()
	anew := Feed{conditions: f.conditions, columns: f.columns, tables: f.tables, window: f.window}
	for i, def := range anew.definitions(floor) {
		queries[i] = def.Query()
	}
	return queries
}
