package feeds

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

func friendly(t *testing.T, id string) runid.Friendly {
	t.Helper()
	f, err := runid.ParseRun(runid.FormatRun(id))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A place in a run's feed shows that the run was found, to those who ask for this run in
// this environment with these columns, and shows nothing of any other.
func TestAPlaceShowsThatTheRunWasFound(t *testing.T) {
	s := newService(t, &upstream{}, Config{})
	for _, id := range []string{v2ID, legacyID} {
		run := s.Run(env, id, nil)
		_, at := next(t, s, run, start)
		if f := s.FoundRun(env, friendly(t, id), nil, at); f != run {
			t.Errorf("%s: %p, want %p", id, f, run)
		}
		if _, on := next(t, s, run, at); s.FoundRun(env, friendly(t, id), nil, on) != run {
			t.Errorf("%s: not at its second place", id)
		}
		// Another process, which was never asked.
		elsewhere := newService(t, &upstream{}, Config{})
		if f := elsewhere.FoundRun(env, friendly(t, id), nil, at); f == nil || f.fingerprint != run.fingerprint {
			t.Errorf("%s: not elsewhere", id)
		}
		other := legacyID
		if id == legacyID {
			other = v2ID
		}
		_, old := next(t, s, s.OldRun(env, id, nil), start)
		_, batch := next(t, s, s.Batch(env, id, nil), start)
		asBatch, err := runid.ParseBatch(runid.FormatBatch(id))
		if err != nil {
			t.Fatal(err)
		}
		// Others follow all of these already, so their feeds are known.
		next(t, s, s.Run("foreign", id, nil), start)
		next(t, s, s.Run(env, other, nil), start)
		next(t, s, s.Run(env, id, []string{"ttl"}), start)
		for what, f := range map[string]*Feed{
			"a foreign environment":   s.FoundRun("foreign", friendly(t, id), nil, at),
			"no environment":          s.FoundRun("", friendly(t, id), nil, at),
			"another run":             s.FoundRun(env, friendly(t, other), nil, at),
			"a run that is nowhere":   s.FoundRun(env, friendly(t, "nowhere"), nil, at),
			"other columns":           s.FoundRun(env, friendly(t, id), []string{"ttl"}, at),
			"a batch":                 s.FoundRun(env, asBatch, nil, batch),
			"a batch's place":         s.FoundRun(env, friendly(t, id), nil, batch),
			"an old run, by its id":   s.FoundRun(env, friendly(t, id), nil, old),
			"the beginning":           s.FoundRun(env, friendly(t, id), nil, Place{Handle: at.Handle, Offset: "-1"}),
			"no offset":               s.FoundRun(env, friendly(t, id), nil, Place{Handle: at.Handle}),
			"no handle":               s.FoundRun(env, friendly(t, id), nil, Place{Offset: at.Offset}),
			"the handle of a refetch": s.FoundRun(env, friendly(t, id), nil, Place{Handle: refetch(t, s, run, Place{Handle: "x", Offset: "1_0"}, false), Offset: at.Offset}),
			"another key":             newService(t, &upstream{}, Config{Codec: codec(t, 'x')}).FoundRun(env, friendly(t, id), nil, at),
		} {
			if f != nil {
				t.Errorf("%s: the place in the feed of %s shows it", what, id)
			}
		}
	}
}

// No bit of a handle can be changed, and asking with one that is no good leaves nothing.
func TestAForgedPlaceShowsNothing(t *testing.T) {
	s := newService(t, &upstream{}, Config{})
	_, at := next(t, s, s.Run(env, v2ID, nil), start)
	known := len(s.known.fresh)
	rapid.Check(t, func(rt *rapid.T) {
		forged, id := at, rapid.SampledFrom([]string{v2ID, legacyID, "x"}).Draw(rt, "id")
		b := []byte(at.Handle)
		b[rapid.IntRange(0, len(b)-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		forged.Handle = string(b)
		if s.FoundRun(env, friendly(t, id), nil, forged) != nil {
			rt.Fatalf("%q shows something of %s", forged.Handle, id)
		}
	})
	if n := len(s.known.fresh); n != known {
		t.Errorf("%d feeds are known, %d were", n, known)
	}
}
