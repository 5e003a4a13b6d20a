package feeds

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// A must-refetch says why: what an operator does about it depends on that.
func TestReasons(t *testing.T) {
	up := &upstream{}
	s := newService(t, up, Config{})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	_, at := next(t, s, f, start)
	short := tagFeed(t, s, []string{"c"}, time.Hour)
	_, beyond := next(t, s, short, start)
	otherCodec, err := cursor.NewCodec(bytes.Repeat([]byte{'o'}, cursor.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := New(Config{Merger: s.config.Merger, Codec: otherCodec})
	refetch := func(s *Service, f *Feed, p Place) *MustRefetch {
		t.Helper()
		_, err := s.Next(t.Context(), f, p, false)
		refused, ok := errors.AsType[*MustRefetch](err)
		if !ok {
			t.Fatalf("%+v: %v", p, err)
		}
		return refused
	}
	check := func(what string, want Reason, got *MustRefetch) {
		t.Helper()
		if got.Reason != want {
			t.Errorf("%s is %s, want %s: %v", what, got.Reason, want, got)
		}
	}
	check("another feed's", ForeignCursor, refetch(s, tagFeed(t, s, []string{"b"}, time.Hour), at))
	check("another key's", ForeignCursor, refetch(elsewhere, f, at))
	check("rubbish", ForeignCursor, refetch(s, f, Place{Handle: "x", Offset: at.Offset}))
	check("another offset", UnfitPlace, refetch(s, f, Place{Handle: at.Handle, Offset: "7_0"}))
	check("a handle without a floor", UnfitPlace, refetch(s, f, Place{Handle: refetch(s, f, Place{Handle: at.Handle, Offset: "7_0"}).Handle, Offset: at.Offset}))
	up.fail(&shapes.Rotated{Handle: "17-24"})
	check("a rotation", ShapeGone, refetch(s, f, at))
	up.fail(&shapes.Rotated{OutOfBounds: true})
	check("an offset that was lost", OutOfBounds, refetch(s, short, beyond))
}
