package runstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// Promotion is what becomes of a run that waited for a version. A nil field
// leaves what the run has.
type Promotion struct {
	Status            Status // default: Pending
	LockedToVersionID *string
	TaskVersion       *string
	SDKVersion        *string
	CLIVersion        *string
}

// ParkedExpiry is how a run ended that waited for a version in vain.
type ParkedExpiry struct {
	At     time.Time // default: now
	Reason string
	Error  json.RawMessage
}

// ParkPendingVersion makes a run wait for a version: PENDING_VERSION, and why.
func (s *Store) ParkPendingVersion(ctx context.Context, key Key, reason string) (Run, error) {
	return s.change(ctx, "park a run", key, s.statements(key).parkPendingVersion, pgx.NamedArgs{"reason": reason})
}

// PromotePendingVersion lets a run go on that waits for a version. It does
// nothing to a run that does not wait, or is not there, and says so: of many who
// promote or expire a run at once, one did.
func (s *Store) PromotePendingVersion(ctx context.Context, key Key, p Promotion) (did bool, err error) {
	if p.Status != "" && !p.Status.known() {
		return false, &InvalidError{What: "a promotion", Reason: "there is no such status"}
	}
	return s.guarded(ctx, "promote a run", key, s.statements(key).promotePendingVersion, pgx.NamedArgs{
		"status": or(p.Status, Pending), "version": p.LockedToVersionID, "taskVersion": p.TaskVersion, "sdkVersion": p.SDKVersion, "cliVersion": p.CLIVersion,
	})
}

// ExpireParked ends a run that waits for a version: EXPIRED. It does nothing to
// a run that does not wait, as PromotePendingVersion.
func (s *Store) ExpireParked(ctx context.Context, key Key, e ParkedExpiry) (did bool, err error) {
	return s.guarded(ctx, "expire a parked run", key, s.statements(key).expireParked, pgx.NamedArgs{
		"at": s.at(e.At), "reason": e.Reason, "error": e.Error,
	})
}

// guarded runs a statement that changes one run or, if the run is not as it has
// to be, none.
func (s *Store) guarded(ctx context.Context, doing string, key Key, sql string, args pgx.NamedArgs) (bool, error) {
	args["id"], args["environment"], args["now"] = key.ID, key.EnvironmentID, s.now()
	tag, err := s.writer().Exec(ctx, sql, args)
	return tag.RowsAffected() > 0, wrap(doing, err)
}
