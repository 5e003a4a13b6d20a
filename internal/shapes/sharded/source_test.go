package sharded

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The vectors of the published implementations.
func TestJump(t *testing.T) {
	for _, c := range []struct {
		key  uint64
		n    int
		want int
	}{{1, 1, 0}, {42, 57, 43}, {0xdead10cc, 1, 0}, {0xdead10cc, 666, 361}, {256, 1024, 520}} {
		if got := jump(c.key, c.n); got != c.want {
			t.Errorf("%#x in %d buckets is in %d, want %d", c.key, c.n, got, c.want)
		}
	}
}

// Another bucket takes its share from all, and nothing moves between the others.
func TestJumpMovesToTheNewBucketAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, n := rapid.Uint64().Draw(t, "key"), rapid.IntRange(1, 1000).Draw(t, "n")
		before, after := jump(key, n), jump(key, n+1)
		if before < 0 || before >= n || after != before && after != n {
			t.Fatalf("%d of %d buckets, then %d", before, n, after)
		}
	})
	const keys, n = 20_000, 4
	var in [n + 1]int
	for key := range uint64(keys) {
		in[jump(key*0x9e3779b97f4a7c15, n+1)]++
	}
	for bucket, count := range in {
		if count < keys/(n+1)*9/10 || count > keys/(n+1)*11/10 {
			t.Errorf("bucket %d has %d of %d keys", bucket, count, keys)
		}
	}
}

// named is a Source that answers everything with its name.
type named struct{ name string }

func (s named) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	return nil, errors.New(s.name)
}

func (s named) Wait(context.Context, *shapes.Definition, shapes.Position) (*shapes.News, error) {
	return nil, errors.New(s.name)
}

func (s named) Once(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	return nil, errors.New(s.name)
}

func (s named) Down(*shapes.Definition) error { return errors.New(s.name) }

// A shape is asked of one source alone, however it is asked, and whoever spells its
// definition; the shapes are shared among all.
func TestAShapeHasOneSource(t *testing.T) {
	if _, err := New(); err == nil {
		t.Error("a Source over none")
	}
	s, err := New(named{"a"}, named{"b"}, named{"c"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for i := range 300 {
		define := func(tags ...string) *shapes.Definition {
			return shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.ContainsAll("runTags", append(tags, fmt.Sprint(i))))
		}
		want := s.Down(define("x", "y")).Error()
		seen[want]++
		_, read := s.Read(t.Context(), define("y", "x"), shapes.Position{})
		_, wait := s.Wait(t.Context(), define("x", "y", "x"), shapes.Position{Handle: "h"})
		_, once := s.Once(t.Context(), define("y", "x"), shapes.Position{})
		for _, err := range []error{read, wait, once} {
			if err.Error() != want {
				t.Fatalf("shape %d is of %s, and was asked of %v", i, want, err)
			}
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		if seen[name] < 60 {
			t.Errorf("%s has %d of 300 shapes", name, seen[name])
		}
	}
}
