package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// MetadataChange is what is to become of a run's metadata, and of its relatives'.
type MetadataChange struct {
	// Metadata replaces the run's metadata, as a JSON object, unless it is empty
	// or there are Operations.
	Metadata json.RawMessage

	Operations       []Operation // on the run
	ParentOperations []Operation // on its parent; on the run, if it has none
	RootOperations   []Operation // on its root; on the run, if it has none
}

const (
	// metadataWindow is how long after its end a run's metadata may be changed.
	metadataWindow = time.Hour

	// contention bounds how long a change is tried again that others were faster
	// than.
	contention = 10 * time.Second
)

// UpdateMetadata changes the metadata of a run and of its relatives, and gives the
// run's own as it is then: an object, or nil for none. A parent or root that is not
// in the environment, or is no more, is none.
//
// Each run is changed by itself, root and parent before the run, under the optimistic
// lock of its metadata: whoever was slower reads again and makes the change anew. If
// one of them fails, those before it stay changed.
func (s *Service) UpdateMetadata(ctx context.Context, environmentID, id string, c MetadataChange) (json.RawMessage, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	run, err := s.find(ctx, environmentID, id)
	if err != nil {
		return nil, err
	}
	if run.CompletedAt != nil && s.now().Sub(*run.CompletedAt) > metadataWindow {
		return nil, &StatusError{Status: run.Status, Reason: "the metadata of a run that has been over for an hour is not changed"}
	}
	var changes []runOperations
	for _, of := range []struct {
		pointer    *string
		operations []Operation
	}{{run.RootRunID, c.RootOperations}, {run.ParentRunID, c.ParentOperations}} {
		if len(of.operations) == 0 {
			continue
		}
		key, err := s.relative(ctx, run, of.pointer)
		if err != nil {
			return nil, err
		}
		changes = appendOperations(changes, key, of.operations)
	}
	if len(c.Operations) > 0 {
		changes = appendOperations(changes, run.Key(), c.Operations)
	}
	now := text(run.Metadata)
	for _, change := range changes {
		after, err := s.operate(ctx, change.key, change.operations)
		if err != nil {
			return nil, err
		}
		if change.key == run.Key() {
			now = after
		}
	}
	if len(c.Metadata) > 0 && len(c.Operations) == 0 {
		if now, err = string(c.Metadata), s.replaceMetadata(ctx, run, c.Metadata); err != nil {
			return nil, err
		}
	}
	if !json.Valid([]byte(now)) {
		return nil, nil // of another type
	}
	return json.RawMessage(now), nil
}

func (c MetadataChange) check() error {
	if len(c.Metadata) > 0 {
		if err := checkMetadata("metadata", string(c.Metadata), jsonType); err != nil {
			return err
		}
		if _, err := object(string(c.Metadata)); err != nil {
			return &InvalidError{Field: "metadata", Reason: "is not a JSON object"}
		}
	}
	for _, list := range []struct {
		field      string
		operations []Operation
	}{{"operations", c.Operations}, {"parentOperations", c.ParentOperations}, {"rootOperations", c.RootOperations}} {
		if err := checkList(list.field, list.operations); err != nil {
			return err
		}
	}
	return nil
}

func checkList(field string, operations []Operation) error {
	if err := CheckOperations(field, len(operations)); err != nil {
		return err
	}
	size := 0
	for _, o := range operations {
		size += len(o.Key) + len(o.Value)
	}
	if size > mostHeld {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("has more than %d bytes", mostHeld), TooLarge: true}
	}
	for i, o := range operations {
		if err := o.check(fmt.Sprintf("%s.%d", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// CheckOperations refuses a list of so many operations, so that who reads one may know
// before.
func CheckOperations(field string, n int) error {
	if n <= MaxOperations {
		return nil
	}
	return &InvalidError{Field: field, Reason: fmt.Sprintf("has %d operations, and a request may have %d: send the rest in another", n, MaxOperations), TooLarge: true}
}

// runOperations are the operations on one run.
type runOperations struct {
	key        runstore.Key
	operations []Operation
}

// appendOperations puts operations on one run together: one that is parent and root
// is changed once.
func appendOperations(all []runOperations, key runstore.Key, operations []Operation) []runOperations {
	for i := range all {
		if all[i].key == key {
			all[i].operations = append(all[i].operations, operations...)
			return all
		}
	}
	return append(all, runOperations{key, append([]Operation(nil), operations...)})
}

// relative follows a run's pointer within its environment. It is the run itself
// where there is nobody.
func (s *Service) relative(ctx context.Context, run runstore.Run, pointer *string) (runstore.Key, error) {
	if pointer == nil {
		return run.Key(), nil
	}
	key := runstore.Key{EnvironmentID: run.EnvironmentID, ID: *pointer}
	_, err := s.store.OnPrimary().FindByID(ctx, key)
	if isMissing(err) {
		return run.Key(), nil
	}
	return key, err
}

// operate makes operations on one run's metadata, and gives what it is then.
func (s *Service) operate(ctx context.Context, key runstore.Key, operations []Operation) (string, error) {
	deadline := time.Now().Add(contention)
	for try := 0; ; try++ {
		run, err := s.store.OnPrimary().FindByID(ctx, key)
		if err != nil {
			return "", missing("run", err)
		}
		if run.Metadata != nil && run.MetadataType != jsonType {
			return "", &InvalidError{Field: "operations", Reason: "cannot be made on metadata of another type than " + jsonType}
		}
		after, changed, err := apply(text(run.Metadata), operations)
		if err != nil || !changed {
			return after, err
		}
		won, err := s.store.UpdateMetadata(ctx, key, runstore.MetadataUpdate{Metadata: after, Type: jsonType, Expected: &run.MetadataVersion})
		if err != nil || won {
			return after, missing("run", refused(err))
		}
		if time.Now().After(deadline) {
			return "", ErrBusy
		}
		if err := pace.Pause(ctx, time.Duration(1+rand.IntN(5<<min(try, 4)))*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// replaceMetadata takes no notice of others, as its caller has taken none.
func (s *Service) replaceMetadata(ctx context.Context, run runstore.Run, metadata json.RawMessage) error {
	_, err := s.store.UpdateMetadata(ctx, run.Key(), runstore.MetadataUpdate{Metadata: string(metadata), Type: jsonType})
	return missing("run", refused(err))
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
