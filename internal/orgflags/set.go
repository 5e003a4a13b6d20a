package orgflags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrUnknown says that there is no such organization.
var ErrUnknown = errors.New("no such organization")

// State is what the database says of an organization's flag.
type State struct {
	On bool

	// Stored is what stands at the flag's name, nil for nothing. It may be a value
	// that turns nothing on.
	Stored json.RawMessage
}

// Get reads an organization's flag from the database.
func (f *Flags) Get(ctx context.Context, organizationID string) (s State, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	err = f.config.Pool.QueryRow(ctx, `SELECT coalesce(`+isOn+`, false), "featureFlags" -> $2 FROM public."Organization" WHERE id = $1`,
		organizationID, Name).Scan(&s.On, &s.Stored)
	return s, explain("read an organization's flag", err)
}

// Set writes an organization's flag, leaves its other flags as they are, and tells
// every instance. Afterwards this one knows.
func (f *Flags) Set(ctx context.Context, organizationID string, on bool) error {
	bounded, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	// A notification goes out with the commit, or not at all.
	var id string
	err := f.config.Pool.QueryRow(bounded, `
		WITH changed AS (
			UPDATE public."Organization" SET "updatedAt" = now() AT TIME ZONE 'utc',
				"featureFlags" = CASE jsonb_typeof("featureFlags") WHEN 'object' THEN "featureFlags" ELSE '{}' END || jsonb_build_object($2::text, $3::boolean)
			WHERE id = $1 RETURNING id
		)
		SELECT id FROM changed, LATERAL (SELECT pg_notify($4, id)) n`, organizationID, Name, on, channel).Scan(&id)
	if err != nil {
		return explain("set an organization's flag", err)
	}
	return f.readOne(ctx, f.config.Pool, organizationID)
}

// Global is the value of the flag's global row, nil for none. Nothing follows it.
func (f *Flags) Global(ctx context.Context) (value json.RawMessage, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	err = f.config.Pool.QueryRow(ctx, `SELECT value FROM public."FeatureFlag" WHERE key = $1`, Name).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return value, explain("read the global flag", err)
}

func explain(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrUnknown
	}
	return fmt.Errorf("orgflags: %s: %w", doing, err)
}
