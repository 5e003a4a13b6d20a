package runstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Batch is a row of "BatchTaskRun". Its runs are in either run table and name it
// in Run.BatchID.
type Batch struct {
	ID             string      `db:"id"`
	FriendlyID     string      `db:"friendlyId"`
	EnvironmentID  string      `db:"runtimeEnvironmentId"`
	Status         BatchStatus `db:"status"`
	CreatedAt      time.Time   `db:"createdAt"`
	UpdatedAt      time.Time   `db:"updatedAt"`
	CompletedAt    *time.Time  `db:"completedAt"`
	RunIDs         []string    `db:"runIds"` // friendly ids, in the order of the batch
	RunCount       int32       `db:"runCount"`
	BatchVersion   string      `db:"batchVersion"`
	Sealed         bool        `db:"sealed"` // all its runs have been made
	SealedAt       *time.Time  `db:"sealedAt"`
	IdempotencyKey *string     `db:"idempotencyKey"`
	// OneTimeUseToken stands for the token that the batch was made with, if that
	// can be used once.
	OneTimeUseToken *string         `db:"oneTimeUseToken"`
	Options         json.RawMessage `db:"options"` // what its runs have in common; whoever makes them knows
	Successful      *int32          `db:"successfulRunCount"`
	Failed          *int32          `db:"failedRunCount"`
}

// Key names the batch for a write.
func (b Batch) Key() Key { return Key{EnvironmentID: b.EnvironmentID, ID: b.ID} }

// NewBatch is a batch to be made.
type NewBatch struct {
	ID              string // required; the friendly id is made from it
	EnvironmentID   string // required
	RunIDs          []string
	RunCount        int32
	IdempotencyKey  *string
	CreatedAt       time.Time // default: now
	OneTimeUseToken *string
	Options         json.RawMessage
	Open            bool // its runs are still to be made, and named by SealBatch
}

// BatchOutcome is how the runs of a batch ended.
type BatchOutcome struct {
	Status     BatchStatus
	Successful int32
	Failed     int32
}

// CreateBatch makes a batch that is pending, and sealed unless it is open. Its runs
// are made by Create, in the same transaction or later.
func (s *Store) CreateBatch(ctx context.Context, b NewBatch) (Batch, error) {
	if b.ID == "" || b.EnvironmentID == "" {
		return Batch{}, &InvalidError{What: "a new batch", Reason: "its id or its environment is empty"}
	}
	now := s.now()
	created := now
	if !b.CreatedAt.IsZero() {
		created = stamp(b.CreatedAt)
	}
	batch, err := one[Batch](ctx, s.writer(), s.batch.create, pgx.NamedArgs{
		"id": b.ID, "friendlyId": runid.FormatBatch(b.ID), "environment": b.EnvironmentID,
		"created": created, "now": now, "runIds": orEmpty(b.RunIDs), "runCount": b.RunCount, "idempotencyKey": b.IdempotencyKey,
		"oneTimeUseToken": b.OneTimeUseToken, "options": b.Options, "sealed": !b.Open,
	})
	return batch, wrap("create a batch", err)
}

// SealBatch names the runs of an open batch, in the order of the batch. A batch that
// is sealed already is ErrNotFound, and is not changed.
func (s *Store) SealBatch(ctx context.Context, key Key, runIDs []string) (Batch, error) {
	batch, err := one[Batch](ctx, s.writer(), s.batch.seal, pgx.NamedArgs{
		"id": key.ID, "environment": key.EnvironmentID, "now": s.now(), "runIds": orEmpty(runIDs),
	})
	return batch, wrap("seal a batch", err)
}

// FindBatchByIdempotencyKey reads the batch that has a key, from the primary: it is
// asked for by who could not make another with it.
func (s *Store) FindBatchByIdempotencyKey(ctx context.Context, environmentID, idempotencyKey string) (Batch, error) {
	batch, err := one[Batch](ctx, s.writer(), s.batch.findByIdempotencyKey, pgx.NamedArgs{
		"environment": environmentID, "key": idempotencyKey,
	})
	return batch, wrap("find a batch by its idempotency key", err)
}

// CompleteBatch notes that the runs of a batch are over.
func (s *Store) CompleteBatch(ctx context.Context, key Key, o BatchOutcome) (Batch, error) {
	batch, err := one[Batch](ctx, s.writer(), s.batch.complete, pgx.NamedArgs{
		"id": key.ID, "environment": key.EnvironmentID, "now": s.now(),
		"status": o.Status, "successful": o.Successful, "failed": o.Failed,
	})
	return batch, wrap("complete a batch", err)
}
