package feeds

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// refetch asks for a batch that must not come, and gives the handle to start
// over with.
func refetch(t *testing.T, s *Service, f *Feed, p Place, live bool) string {
	t.Helper()
	b, err := s.Next(t.Context(), f, p, live)
	if err == nil {
		b.Close()
		t.Fatalf("%+v was served", p)
	}
	e, ok := errors.AsType[*MustRefetch](err)
	if !ok {
		t.Fatalf("%+v: %v", p, err)
	}
	return e.Handle
}

// All who start afresh share one handle, so that they share what is cached under
// it; the handle of a 409 belongs to one client, and stays its own.
func TestNonces(t *testing.T) {
	s := newService(t, &upstream{}, Config{Now: func() time.Time { return time.Unix(1780000000, 0) }})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	_, first := next(t, s, f, start)
	_, second := next(t, s, f, start)
	if first != second {
		t.Errorf("two fresh clients are at %v and %v", first, second)
	}
	if _, on := next(t, s, f, first); on.Handle != first.Handle {
		t.Errorf("a client that goes on has another handle")
	}
	brought := refetch(t, s, f, Place{Handle: "x", Offset: "1_0"}, false)
	_, again := next(t, s, f, Place{Handle: brought, Offset: "-1"})
	if nonce(t, s, f, again.Handle) != nonce(t, s, f, brought) || nonce(t, s, f, brought) == 0 || nonce(t, s, f, first.Handle) != 0 {
		t.Errorf("nonces: brought %d, kept %d, fresh %d", nonce(t, s, f, brought), nonce(t, s, f, again.Handle), nonce(t, s, f, first.Handle))
	}
	// of a handle that is not one of ours for this feed, nothing is taken
	of := tagFeed(t, s, []string{"b"}, time.Hour)
	for _, handle := range []string{"", "x", refetch(t, s, of, Place{Offset: "1_0"}, false), brought[:len(brought)-1]} {
		if _, at := next(t, s, f, Place{Handle: handle, Offset: "-1"}); at != first {
			t.Errorf("with %q a fresh client is at %v", handle, at)
		}
	}
}

// A handle of another format is refused although it is well signed: after a new
// release was taken back, its clients start over.
func TestAPlaceOfAnotherVersion(t *testing.T) {
	s := newService(t, &upstream{}, Config{})
	f := s.Batch(env, v2ID, nil)
	_, at := next(t, s, f, start)
	raw, err := base64.RawURLEncoding.DecodeString(at.Handle)
	if err != nil {
		t.Fatal(err)
	}
	body := raw[:len(raw)-16]
	signed := func(version byte) Place {
		b := append([]byte{version}, body[1:]...)
		mac := hmac.New(sha256.New, bytes.Repeat([]byte{'k'}, cursor.MinKey))
		mac.Write(f.fingerprint[:])
		mac.Write(b)
		return Place{Handle: base64.RawURLEncoding.EncodeToString(append(b, mac.Sum(nil)[:16]...)), Offset: at.Offset}
	}
	if signed(body[0]).Handle != at.Handle {
		t.Fatal("the test does not sign as the codec does")
	}
	for version := range 256 {
		if byte(version) != body[0] {
			refetch(t, s, f, signed(byte(version)), version%2 == 0)
		}
	}
	next(t, s, f, signed(body[0]))
}

func nonce(t *testing.T, s *Service, f *Feed, handle string) uint64 {
	t.Helper()
	c, err := s.config.Codec.DecodeHandle(f.fingerprint, handle)
	if err != nil {
		t.Fatal(err)
	}
	return c.Nonce
}

// Clients remember the handle of the last 409 and compare it with each answer: a
// batch that carried it would make them start over without a word.
func TestABatchNeverCarriesTheExpiredHandle(t *testing.T) {
	s := newService(t, &upstream{}, Config{Now: func() time.Time { return time.Unix(1780000000, 0) }})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	_, fresh := next(t, s, f, start)
	_, at := next(t, s, f, Place{Offset: "-1", Expired: fresh.Handle})
	if at.Handle == fresh.Handle || at.Offset != fresh.Offset {
		t.Errorf("a fresh client that gave up %s is at %v", fresh.Handle, at)
	}
	for range 10 {
		was := at.Handle
		at.Expired = was
		if _, at = next(t, s, f, at); at.Handle == was {
			t.Errorf("a client that gave up %s keeps it", was)
		}
	}
	if _, kept := next(t, s, f, Place{Handle: at.Handle, Offset: at.Offset, Expired: fresh.Handle}); kept.Handle != at.Handle {
		t.Error("an expired handle that is not this one changed it")
	}
}

// A 409 is remembered by its handle. So no two have the same, and none has one
// that its request came with.
func TestRefetchHandlesNeverRepeat(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	_, at := next(t, s, f, start)
	u.fail(&shapes.Rotated{Handle: "17-23"})
	seen := map[string]bool{at.Handle: true}
	for i := range 500 {
		p := at
		if i%2 == 1 {
			p = Place{Handle: "garbage", Offset: "3_0"}
		}
		for h := range seen {
			p.Expired = h
			break
		}
		h := refetch(t, s, f, p, i%4 == 0)
		if seen[h] {
			t.Fatalf("the handle of 409 number %d was given before", i)
		}
		seen[h] = true
	}
}

// A cursor of anything but this feed, this environment and one of our keys is no
// cursor, and neither is one that was changed or cut. The upstream is not asked.
func TestForeignCursorsRefetch(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	run, batch := s.Run(env, v2ID, nil), s.Batch(env, v2ID, nil)
	theirs, err := s.Tags(other, []string{"a"}, ptr(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, at := next(t, s, f, start)
	rekeyed := newService(t, u, Config{Codec: codec(t, 'x')})
	_, sealed := next(t, rekeyed, f, start)
	places := map[string]Place{
		"another key": sealed,
		"no handle":   {Offset: at.Offset},
		"upstream's":  {Handle: "17-23", Offset: at.Offset},
	}
	for name, of := range map[string]*Feed{
		"a run": run, "a batch": batch, "other tags": tagFeed(t, s, []string{"b"}, time.Hour), "another environment": theirs,
		"another window": tagFeed(t, s, []string{"a"}, 2*time.Hour), "other columns": tagFeed(t, s, []string{"a"}, time.Hour, "ttl"),
	} {
		_, places[name] = next(t, s, of, start)
	}
	for n := range at.Handle {
		places[fmt.Sprintf("cut at %d", n)] = Place{Handle: at.Handle[:n], Offset: at.Offset}
	}
	for _, offset := range []string{
		"", "-1_0", "now", "0", "_", "_0", "0_0", "00_0", "1", "1_1", "-2", "+1_0", "١_0", "0_inf", "1e3_0", at.Offset + "0", at.Offset + " ", " " + at.Offset,
		"0" + at.Offset, strings.TrimSuffix(at.Offset, "_0"), strings.TrimSuffix(at.Offset, "_0") + "_1", strings.Repeat("9", 61) + "_0", strings.Repeat("9", 4000) + "_0", "\x00",
	} {
		places[fmt.Sprintf("offset %q", offset)] = Place{Handle: at.Handle, Offset: offset}
	}
	u.take()
	for name, p := range places {
		h := refetch(t, s, f, p, false)
		if h == p.Handle || refetch(t, s, f, p, true) == h {
			t.Errorf("%s: a handle twice", name)
		}
	}
	if asked := u.take(); len(asked) > 0 {
		t.Errorf("the upstream was asked %d times", len(asked))
	}
	next(t, s, f, at) // and the good one is still good
}

// Of all texts, only those that this gateway gave for this feed are cursors.
func TestGarbageRefetches(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	_, at := next(t, s, f, start)
	rapid.Check(t, func(t *rapid.T) {
		p := Place{Handle: rapid.String().Draw(t, "handle"), Offset: at.Offset, Cursor: rapid.String().Draw(t, "cursor"), Expired: rapid.String().Draw(t, "expired")}
		if rapid.Bool().Draw(t, "own handle") {
			p.Handle, p.Offset = at.Handle, rapid.OneOf(rapid.String(), rapid.StringMatching(`-?[0-9]{0,70}(_[0-9]{0,3})?`)).Draw(t, "offset")
		}
		if p.Handle == at.Handle && p.Offset == at.Offset {
			return
		}
		b, err := s.Next(t.Context(), f, p, false)
		if _, ok := errors.AsType[*MustRefetch](err); ok {
			return
		}
		// A number that happens to be a place moves its owner in their own feed.
		if err != nil || p.Handle != at.Handle && !p.Starts() {
			t.Fatalf("%+v: %v", p, err)
		}
		b.Close()
		for _, q := range u.take() {
			if q.Get("params[1]") != env || q.Get("params[2]") != "a" {
				t.Fatalf("%+v asks %v", p, q)
			}
		}
	})
}

func TestNothingIsLiveBeforeItWasRead(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	_, err := s.Next(t.Context(), s.Run(env, v2ID, nil), start, true)
	if !errors.Is(err, ErrLiveStart) || len(u.take()) > 0 {
		t.Errorf("got %v", err)
	}
}

// A fault of the upstream is not the client's: its place stays good.
func TestFaultsKeepThePlace(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	f := s.Run(env, v2ID, nil) // one side: no call of the other outlives the request
	_, at := next(t, s, f, start)
	fault := &shapes.Unavailable{Err: errors.New("down")}
	refused := &shapes.Refused{Status: 400, Body: "where"}
	for _, p := range []Place{start, at} {
		for _, live := range []bool{false, true} {
			if live && p.Starts() {
				continue
			}
			u.fail(fault)
			_, err := s.Next(t.Context(), f, p, live)
			if _, ok := errors.AsType[*Unavailable](err); !ok || !errors.Is(err, fault) {
				t.Errorf("live %v at %v: %v", live, p, err)
			}
			u.fail(refused)
			if _, err := s.Next(t.Context(), f, p, live); !errors.Is(err, refused) {
				t.Errorf("live %v at %v: %v", live, p, err)
			}
		}
	}
	u.fail(nil)
	next(t, s, f, at)
}
