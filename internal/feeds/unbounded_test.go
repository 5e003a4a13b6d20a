package feeds

import (
	"errors"
	"testing"
)

// The handle of a must-refetch is authentic and carries no floor. With an offset
// that says "both opened, nothing read" it must not open a tag feed unbounded.
func TestAMustRefetchHandleDoesNotLiftTheFloor(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	f := tagFeed(t, s, tagsOf(1), DefaultWindow)
	_, err := s.Next(t.Context(), f, Place{Handle: "garbage", Offset: "17_0"}, false)
	refetch, ok := errors.AsType[*MustRefetch](err)
	if !ok {
		t.Fatalf("garbage: %v", err)
	}
	_, err = s.Next(t.Context(), f, Place{Handle: refetch.Handle, Offset: "17_0"}, false)
	if _, ok := errors.AsType[*MustRefetch](err); !ok {
		t.Errorf("got %v, want a must-refetch", err)
	}
	if asked := u.take(); len(asked) > 0 {
		t.Errorf("the upstream was asked %d times", len(asked))
	}
}
