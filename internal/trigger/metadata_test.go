package trigger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// add is an operation that counts.
func add(key string) []trigger.Operation {
	return []trigger.Operation{{Type: "increment", Key: key, Value: json.RawMessage("1")}}
}

// has fails if a run's metadata is not this.
func (f *fixture) has(t testing.TB, run runstore.Run, want string) {
	t.Helper()
	now := f.read(t, run)
	got := "none"
	if now.Metadata != nil {
		got = *now.Metadata
	}
	if got != want {
		t.Errorf("%s has the metadata %s, want %s", run.ID, got, want)
	}
}

// Operations reach the run, its parent and its root in whichever tables they are.
func TestMetadataOfRelatives(t *testing.T) {
	for _, top := range runid.Tables() {
		f := newFixture(t, nil)
		all := f.tree(t, top, 1, 1)
		root, parent, run := all[0][0], all[1][0], all[2][0]
		change := trigger.MetadataChange{Operations: add("own"), ParentOperations: add("of child"), RootOperations: add("of any")}
		for n, of := range []runstore.Run{run, parent, root} {
			got, err := f.UpdateMetadata(t.Context(), ours.ID, of.FriendlyID, change)
			if err != nil {
				t.Fatal(err)
			}
			if now := f.read(t, of); now.Metadata == nil || *now.Metadata != string(got) {
				t.Errorf("%d: it was told %s and has %v", n, got, now.Metadata)
			}
		}
		f.has(t, run, `{"own":1}`)
		f.has(t, parent, `{"of child":1,"own":1}`)
		// Parent and root of the one in the middle, and of itself.
		f.has(t, root, `{"of any":3,"of child":2,"own":1}`)
		if now := f.read(t, root); now.MetadataVersion != 4 {
			t.Errorf("in %d versions, want 4: what is parent and root is changed once", now.MetadataVersion)
		}
		// Pointers that lead nowhere, or abroad, are none.
		for _, gone := range []string{"gone", f.mint.Mint(runid.V2)} {
			f.exec(t, run, `"parentTaskRunId" = $2, "rootTaskRunId" = $2, metadata = NULL`, gone)
			if _, err := f.UpdateMetadata(t.Context(), ours.ID, run.FriendlyID, change); err != nil {
				t.Error(err)
			}
			f.has(t, run, `{"of any":1,"of child":1,"own":1}`)
		}
	}
}

// Many change one run's metadata at the same time, and nobody's change is lost.
func TestMetadataContended(t *testing.T) {
	f := newFixture(t, nil)
	for _, top := range runid.Tables() {
		parent := f.at(top).make(t, request())
		var children []runstore.Run
		for i := range 10 {
			children = append(children, f.at(runid.Table(i%2)).make(t, request(func(r *trigger.Request) { r.ParentRun = parent.FriendlyID })))
		}
		other := f.instance(t, f.flag, nil)
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				s := []*trigger.Service{f.Service, other}[i%2]
				if _, err := s.UpdateMetadata(t.Context(), ours.ID, children[i%10].FriendlyID, trigger.MetadataChange{ParentOperations: add("n")}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f.has(t, parent, `{"n":60}`)
	}
}

// Metadata is replaced as a whole, and its version goes on.
func TestMetadataReplaced(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, _ runid.Table) {
		run := f.make(t, request(func(r *trigger.Request) { r.Metadata = `{"a":1}` }))
		got, err := f.UpdateMetadata(t.Context(), ours.ID, run.FriendlyID, trigger.MetadataChange{Metadata: json.RawMessage(`{"b": 2}`)})
		if err != nil || string(got) != `{"b": 2}` {
			t.Errorf("%s, %v", got, err)
		}
		f.has(t, run, `{"b": 2}`)
		// With operations, those count.
		if _, err := f.UpdateMetadata(t.Context(), ours.ID, run.FriendlyID, trigger.MetadataChange{Metadata: json.RawMessage(`{"c":3}`), Operations: add("b")}); err != nil {
			t.Error(err)
		}
		f.has(t, run, `{"b":3}`)
		if got, err := f.UpdateMetadata(t.Context(), ours.ID, run.FriendlyID, trigger.MetadataChange{}); err != nil || string(got) != `{"b":3}` {
			t.Errorf("nothing: %s, %v", got, err)
		}
		if now := f.read(t, run); now.MetadataVersion != 3 || *now.SeedMetadata != `{"a":1}` {
			t.Errorf("version %d, triggered with %s", now.MetadataVersion, *now.SeedMetadata)
		}
	})
}

func TestMetadataRefused(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, _ runid.Table) {
		run := f.make(t, request(func(r *trigger.Request) { r.Metadata = `{"a":1}` }))
		var invalid *trigger.InvalidError
		for _, c := range []struct {
			field  string
			change trigger.MetadataChange
		}{
			{"metadata", trigger.MetadataChange{Metadata: json.RawMessage(`{`)}},
			{"metadata", trigger.MetadataChange{Metadata: json.RawMessage(`[1]`)}},
			{"operations.0.type", trigger.MetadataChange{Operations: []trigger.Operation{{Type: "x"}}}},
			{"parentOperations.0.value", trigger.MetadataChange{ParentOperations: []trigger.Operation{{Type: "set", Key: "a"}}}},
			{"rootOperations.1.key", trigger.MetadataChange{RootOperations: append(add("a"), add("")...)}},
		} {
			if _, err := f.UpdateMetadata(t.Context(), ours.ID, run.FriendlyID, c.change); !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("%s: %v", c.field, err)
			}
		}
		var notFound *trigger.NotFoundError
		if _, err := f.UpdateMetadata(t.Context(), theirs.ID, run.FriendlyID, trigger.MetadataChange{Operations: add("a")}); !errors.As(err, &notFound) {
			t.Errorf("from abroad: %v", err)
		}
		ended := func(ago time.Duration) error {
			f.exec(t, run, `status = 'CRASHED', "completedAt" = now() AT TIME ZONE 'utc' - $2::interval`, fmt.Sprint(ago.Seconds(), " seconds"))
			_, err := f.UpdateMetadata(t.Context(), ours.ID, run.FriendlyID, trigger.MetadataChange{Operations: add("b")})
			return err
		}
		if err := ended(time.Minute); err != nil {
			t.Errorf("a minute after its end: %v", err)
		}
		var status *trigger.StatusError
		if err := ended(2 * time.Hour); !errors.As(err, &status) {
			t.Errorf("two hours after its end: %v", err)
		}
		f.has(t, run, `{"a":1,"b":1}`)
	})
}
