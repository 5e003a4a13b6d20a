package runstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// MetadataUpdate is a run's metadata to be.
type MetadataUpdate struct {
	Metadata string
	Type     string // "" leaves the type as it is

	// Expected is the Run.MetadataVersion that the change was made from. If the
	// run has another by now, someone else was faster and nothing is changed:
	// read again, and make the change anew. nil takes no notice of others.
	Expected *int32
}

// UpdateMetadata replaces a run's metadata and counts its version on. It says
// whether it won against other writers. A run that is not there is ErrNotFound.
func (s *Store) UpdateMetadata(ctx context.Context, key Key, u MetadataUpdate) (won bool, err error) {
	err = s.writer().QueryRow(ctx, s.statements(key).updateMetadata, pgx.NamedArgs{
		"id": key.ID, "environment": key.EnvironmentID, "now": s.now(),
		"metadata": u.Metadata, "metadataType": null(u.Type), "expected": u.Expected,
	}).Scan(&won)
	return won, wrap("update a run's metadata", err)
}

// PushTags adds tags behind those that a run has, as they are: the caller leaves
// out what the run has already, and keeps to the platform's limit. It returns
// the new "updatedAt".
func (s *Store) PushTags(ctx context.Context, key Key, tags []string) (updatedAt time.Time, err error) {
	err = s.writer().QueryRow(ctx, s.statements(key).pushTags, pgx.NamedArgs{
		"id": key.ID, "environment": key.EnvironmentID, "now": s.now(), "tags": orEmpty(tags),
	}).Scan(&updatedAt)
	return updatedAt, wrap("add tags to a run", err)
}

// PushRealtimeStream notes that a run has a stream, behind those it has.
func (s *Store) PushRealtimeStream(ctx context.Context, key Key, streamID string) (Run, error) {
	return s.change(ctx, "add a stream to a run", key, s.statements(key).pushStream, pgx.NamedArgs{"stream": streamID})
}
