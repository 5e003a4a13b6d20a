package runstore

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Final is what becomes of a run that is finalized. A zero field leaves what the
// run has.
type Final struct {
	Status       Status
	CompletedAt  *time.Time
	ExpiredAt    *time.Time
	Error        json.RawMessage
	BulkActionID string // added to those that the run has
}

// Finalize writes down how a run ended, all of it in one statement: clients stop
// at a final status, and would not see an error that came later.
func (s *Store) Finalize(ctx context.Context, key Key, f Final) (Run, error) {
	if f.Status != "" && !f.Status.known() {
		return Run{}, &InvalidError{What: "an end", Reason: "there is no such status"}
	}
	return s.change(ctx, "finalize a run", key, s.statements(key).finalize, pgx.NamedArgs{
		"status": null(string(f.Status)), "completedAt": stamped(f.CompletedAt), "expiredAt": stamped(f.ExpiredAt),
		"error": f.Error, "bulkAction": null(f.BulkActionID),
	})
}

// RecordBulkAction notes that a run is part of a bulk action.
func (s *Store) RecordBulkAction(ctx context.Context, key Key, bulkActionID string) (Run, error) {
	return s.change(ctx, "record a bulk action", key, s.statements(key).recordBulkAction, pgx.NamedArgs{"bulkAction": bulkActionID})
}

// ExpireMany is Expire for many runs, in one statement whatever tables and
// environments they are in. It gives the number of those that were there.
func (s *Store) ExpireMany(ctx context.Context, keys []Key, e Expiry) (int64, error) {
	var ids, environments [2][]string
	for _, key := range keys {
		t := runid.Home(key.ID)
		ids[t], environments[t] = append(ids[t], key.ID), append(environments[t], key.EnvironmentID)
	}
	args := pgx.NamedArgs{"at": s.at(e.At), "error": e.Error}
	parts := map[runid.Table]string{}
	for _, t := range runid.Tables() {
		if len(ids[t]) > 0 {
			parts[t] = s.runs[t].expireMany
			args["ids_"+t.String()], args["environments_"+t.String()] = ids[t], environments[t]
		}
	}
	return s.sum(ctx, "expire runs", parts, args)
}

// sum runs a statement on each table that has a part, all as one statement, and
// gives the number of rows that they returned together.
func (s *Store) sum(ctx context.Context, doing string, parts map[runid.Table]string, args pgx.NamedArgs) (n int64, err error) {
	var with, counts []string
	for _, t := range runid.Tables() {
		if part, ok := parts[t]; ok {
			with = append(with, t.String()+" AS ("+part+")")
			counts = append(counts, "(SELECT count(*) FROM "+t.String()+")")
		}
	}
	if with == nil {
		return 0, nil
	}
	args["now"] = s.now()
	err = s.writer().QueryRow(ctx, "WITH "+strings.Join(with, ", ")+" SELECT "+strings.Join(counts, " + "), args).Scan(&n)
	return n, wrap(doing, err)
}
