package runstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Debounced is what a later trigger makes of a run that is still delayed. A nil
// field leaves what the run has.
type Debounced struct {
	Payload              string // required, as of a NewRun
	PayloadType          string // default: application/json
	Metadata             *string
	MetadataType         *string
	MaxAttempts          *int32
	MaxDurationInSeconds *int32
	MachinePreset        *string
	Tags                 []string
}

// Reschedule delays a run until another time. Its place in the queue stays,
// unless queueTimestamp gives one.
func (s *Store) Reschedule(ctx context.Context, key Key, delayUntil time.Time, queueTimestamp *time.Time) (Run, error) {
	return s.change(ctx, "reschedule a run", key, s.statements(key).reschedule, pgx.NamedArgs{
		"delayUntil": stamp(delayUntil), "queueTimestamp": stamped(queueTimestamp),
	})
}

// EnqueueDelayed puts a run whose delay is over into its queue: PENDING.
// The zero time is now.
func (s *Store) EnqueueDelayed(ctx context.Context, key Key, queuedAt time.Time) (Run, error) {
	return s.change(ctx, "enqueue a delayed run", key, s.statements(key).enqueueDelayed, pgx.NamedArgs{"queuedAt": s.at(queuedAt)})
}

// RewriteDebounced replaces what a delayed run will run with.
func (s *Store) RewriteDebounced(ctx context.Context, key Key, d Debounced) (Run, error) {
	if d.Payload == "" {
		return Run{}, &InvalidError{What: "a debounced run", Reason: "Payload is empty"}
	}
	return s.change(ctx, "rewrite a debounced run", key, s.statements(key).rewriteDebounced, pgx.NamedArgs{
		"payload": d.Payload, "payloadType": or(d.PayloadType, jsonType), "metadata": d.Metadata, "metadataType": d.MetadataType,
		"maxAttempts": d.MaxAttempts, "maxDuration": d.MaxDurationInSeconds, "machinePreset": d.MachinePreset, "tags": d.Tags,
	})
}
